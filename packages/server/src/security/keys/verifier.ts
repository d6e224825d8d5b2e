import { timingSafeEqual } from 'node:crypto';
import type { KeyRow, KeyStorage } from '../../storage/keys.ts';
import type { CredentialVerifier } from '../authenticate.ts';
import { GatheredReads } from '../gathered-reads.ts';
import type { Principal } from '../principal.ts';
import { RecentRows } from '../recent-rows.ts';
import { digestOf, keyIdOf } from './format.ts';
import { isInUse, toPrincipal } from './key-principal.ts';
import type { KeyUses } from './uses.ts';

/** Nobody's: what is offered for an unknown id is compared with it. */
const NO_DIGEST = new Uint8Array(32);

export interface KeyVerifierParts {
  readonly storage: Pick<KeyStorage, 'get'>;
  readonly uses: Pick<KeyUses, 'note'>;
  /** Milliseconds since the Unix epoch. Default: the clock of the machine. */
  readonly now?: () => number;
}

/** Knows the holders of keys. */
export class KeyVerifier implements CredentialVerifier {
  readonly #reads: GatheredReads<KeyRow>;
  readonly #recent: RecentRows<KeyRow>;
  readonly #uses: KeyVerifierParts['uses'];
  readonly #now: () => number;

  constructor({ storage, uses, now = Date.now }: KeyVerifierParts) {
    this.#reads = new GatheredReads({ get: (ids) => storage.get(ids), idOf: ({ keyId }) => keyId });
    this.#recent = new RecentRows((keyId) => this.#reads.read(keyId));
    this.#uses = uses;
    this.#now = now;
  }

  async verify(offered: string): Promise<Principal | null> {
    const keyId = keyIdOf(offered);
    if (keyId === null) return null;
    const digest = digestOf(offered);
    const row = await this.#recent.get(keyId);
    // The same work whether there is such a key or not.
    const matches = timingSafeEqual(digest, row?.digest ?? NO_DIGEST);
    if (!row || !matches) return null;
    return this.#used(row);
  }

  /** Whose key this is, for those who have shown it before; null when it opens nothing any more. */
  async holder(keyId: string): Promise<Principal | null> {
    const row = await this.#recent.get(keyId);
    return row && this.#used(row);
  }

  /**
   * What the holder of a key may do now, as the storage says at this moment; null when it was revoked. Asked for many at
   * once, it costs one query for each 500 of them. Other principals are as they were.
   */
  async recheck(principal: Principal): Promise<Principal | null> {
    const { kind, id } = principal.credential;
    if (kind !== 'key' || id === null) return principal;
    const row = await this.#reads.read(id);
    // One that has expired was not taken back: what was begun with it goes on.
    return row && row.revokedAt === null ? toPrincipal(row) : null;
  }

  /** The same as `holder`, as the storage says at this moment, and no use of the key. */
  async holderNow(keyId: string): Promise<Principal | null> {
    const row = await this.#reads.read(keyId);
    return row && isInUse(row, this.#now()) ? toPrincipal(row) : null;
  }

  /** The next look at this key goes to the storage. */
  forget(keyId: string): void {
    this.#recent.forget(keyId);
  }

  #used(row: KeyRow): Principal | null {
    if (!isInUse(row, this.#now())) return null;
    this.#uses.note(row);
    return toPrincipal(row);
  }
}
