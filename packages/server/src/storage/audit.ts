/** The audit log: a chain of entries to which is only ever added. What an entry says is not the storage's business. */

/** The newest entry, and with it all before it. */
export interface AuditHead {
  readonly number: number;
  /** Of the entry and, by its chain, of all before it; lower-case hexadecimal. */
  readonly hash: string;
}

/** The head of a log without entries. */
export const AUDIT_START: AuditHead = Object.freeze({ number: 0, hash: '0'.repeat(64) });

export interface AuditRow extends AuditHead {
  readonly id: string;
  readonly at: number;
  readonly action: string;
  readonly principalId: string | null;
  /** JSON text, stored and hashed as it is. */
  readonly entry: string;
}

/** What lists are filtered by; all of it together. */
export interface AuditQuery {
  readonly limit: number;
  /** Keyset: only what the list has after the entry of this number. */
  readonly before?: number;
  readonly action?: string;
  readonly principalId?: string;
  /** Milliseconds, inclusive. */
  readonly from?: number;
  /** Milliseconds, exclusive. */
  readonly until?: number;
}

/** What a reader beside a running server can do. */
export interface AuditReader {
  /** Kept apart from the entries, so that it tells when the newest of them are gone. */
  head(): Promise<AuditHead>;
  /** At most `limit` entries after this number, oldest first. */
  read(after: number, limit: number): Promise<readonly AuditRow[]>;
}

export interface AuditStorage extends AuditReader {
  /**
   * Adds entries in one transaction, in their order, and resolves to the new head after the commit. `seal` makes the entry
   * that follows a head; it is synchronous, and may be called again for the same draft. Several processes append to one
   * chain: the head MUST be locked from before the first `seal` to the commit. A draft whose id is there already MUST be
   * skipped, so that a commit whose answer was lost can be done again. Entries MUST NOT change or go, also for others who
   * write to the database by mistake.
   */
  append<Draft extends { readonly id: string }>(
    drafts: readonly Draft[],
    seal: (draft: Draft, head: AuditHead) => AuditRow,
  ): Promise<AuditHead>;
  /** By their time, the newest first; of one time, the highest number. */
  list(query: AuditQuery): Promise<readonly AuditRow[]>;
}
