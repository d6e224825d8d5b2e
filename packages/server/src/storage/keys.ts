/** API keys. What a key itself is, nobody finds out from here: the storage has its digest only. */

/** Ids that one look-up takes at most. */
export const MAX_KEY_IDS = 1000;

export interface KeyRow {
  /** Part of the key, in clear. */
  readonly keyId: string;
  /** SHA-256 of the key. */
  readonly digest: Uint8Array;
  readonly name: string;
  readonly tenantId: string;
  readonly principalId: string;
  readonly role: string;
  /** Null: nothing less than the role. */
  readonly scopes: readonly string[] | null;
  readonly createdAt: number;
  /** Null: never. */
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
  /** The key that takes over from it. */
  readonly successorId: string | null;
}

export type NewKey = Omit<KeyRow, 'lastUsedAt' | 'revokedAt' | 'successorId'>;
export type KeyChanges = Partial<Pick<KeyRow, 'name' | 'role' | 'scopes' | 'expiresAt'>>;
/** What a key gets that takes over from another one. */
export type KeySuccessor = Pick<KeyRow, 'keyId' | 'digest' | 'createdAt' | 'expiresAt'>;

export interface KeyQuery {
  readonly limit: number;
  /** Keyset: only keys older than this position. */
  readonly before?: number | undefined;
  /** Default: of all tenants. */
  readonly tenantId?: string | undefined;
}

export interface KeyPage {
  /** Newest first. */
  readonly keys: readonly KeyRow[];
  /** `before` of the next page, or null on the last. */
  readonly next: number | null;
}

/** A row that was read before, as `seen`, MUST NOT be changed when it is not in use any more, or may do something else. */
export interface KeyStorage {
  /** False when there is one of this id already; nothing was made then. */
  create(key: NewKey): Promise<boolean>;
  /** In no order, without those that are not there; at most `MAX_KEY_IDS`. */
  get(keyIds: readonly string[]): Promise<readonly KeyRow[]>;
  list(query: KeyQuery): Promise<KeyPage>;
  /** False when the key is not as it was seen. `now` decides whether it has expired. */
  change(seen: KeyRow, changes: KeyChanges, now: number): Promise<boolean>;
  /**
   * Makes a key that is and may do what the seen one does, which expires at `until` if it does not before, in one
   * transaction. False when the key is not as it was seen, or has a successor already; nothing was made then.
   */
  rotate(seen: KeyRow, successor: KeySuccessor, until: number): Promise<boolean>;
  /** False when there is none of this id. One that was revoked before stays as it is. */
  revoke(keyId: string, at: number): Promise<boolean>;
  /** Sets `lastUsedAt` where it grows by that. Unknown keys are skipped. */
  used(uses: readonly { readonly keyId: string; readonly at: number }[]): Promise<void>;
}
