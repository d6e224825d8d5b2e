/** Sessions of browsers. The cookie itself nobody finds out from here: the storage has its digest only. */

/** Ids that one look-up takes at most. */
export const MAX_BROWSER_SESSION_IDS = 1000;

export interface BrowserSessionRow {
  /** Made from the cookie; it tells nothing of it. */
  readonly id: string;
  /** SHA-256 of the cookie. */
  readonly digest: Uint8Array;
  /** Ties it to what of the configuration the credential depends on. */
  readonly proof: Uint8Array;
  readonly tenantId: string;
  readonly principalId: string;
  /** What the credential allowed when the session began. */
  readonly role: string;
  /** Null: nothing less than the role. */
  readonly scopes: readonly string[] | null;
  /** The kind of the credential that the session was begun with, and what can be revoked of it. */
  readonly credentialKind: string;
  readonly credentialId: string | null;
  readonly createdAt: number;
  readonly usedAt: number;
  /** However much it is used. */
  readonly expiresAt: number;
}

export interface BrowserSessionStorage {
  /**
   * Makes a session, and removes the oldest ones of the principal beyond `max`, in one transaction. Resolves with the ids
   * of those; null when there is one of this id already, and nothing was done.
   */
  create(session: BrowserSessionRow, max: number): Promise<readonly string[] | null>;
  /** In no order, without those that are not there; at most `MAX_BROWSER_SESSION_IDS`. */
  get(ids: readonly string[]): Promise<readonly BrowserSessionRow[]>;
  /** Sets `usedAt` where it grows by that. Unknown ones are skipped. */
  used(uses: readonly { readonly id: string; readonly at: number }[]): Promise<void>;
  /** False when there is none of this id. */
  delete(id: string): Promise<boolean>;
  /** Removes at most `limit` that have expired at `now`; true while there is more. */
  prune(now: number, limit: number): Promise<boolean>;
}
