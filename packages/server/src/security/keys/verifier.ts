import { timingSafeEqual } from 'node:crypto';
import type { KeyRow, KeyStorage } from '../../storage/keys.ts';
import type { CredentialVerifier } from '../authenticate.ts';
import type { Principal } from '../principal.ts';
import { digestOf, keyIdOf } from './format.ts';
import { GatheredReads } from './gathered-reads.ts';
import { isInUse, toPrincipal } from './key-principal.ts';
import type { KeyUses } from './uses.ts';

/** What another process changes holds here after this time at the latest. */
const MAX_AGE_MS = 500;
const MAX_CACHED = 10_000;
/** Nobody's: what is offered for an unknown id is compared with it. */
const NO_DIGEST = new Uint8Array(32);

interface Cached {
  /** When it was asked for; monotonic. */
  readonly at: number;
  readonly row: Promise<KeyRow | null>;
}

export interface KeyVerifierParts {
  readonly storage: Pick<KeyStorage, 'get'>;
  readonly uses: Pick<KeyUses, 'note'>;
  /** Milliseconds since the Unix epoch. Default: the clock of the machine. */
  readonly now?: () => number;
}

/** Knows the holders of keys. */
export class KeyVerifier implements CredentialVerifier {
  readonly #reads: GatheredReads;
  readonly #uses: KeyVerifierParts['uses'];
  readonly #now: () => number;
  /** In the order in which they were asked for. */
  readonly #cache = new Map<string, Cached>();

  constructor({ storage, uses, now = Date.now }: KeyVerifierParts) {
    this.#reads = new GatheredReads(storage);
    this.#uses = uses;
    this.#now = now;
  }

  async verify(offered: string): Promise<Principal | null> {
    const keyId = keyIdOf(offered);
    if (keyId === null) return null;
    const digest = digestOf(offered);
    const row = await this.#row(keyId);
    // The same work whether there is such a key or not.
    const matches = timingSafeEqual(digest, row?.digest ?? NO_DIGEST);
    if (!row || !matches || !isInUse(row, this.#now())) return null;
    this.#uses.note(row);
    return toPrincipal(row);
  }

  /**
   * What the holder of a key may do now, as the storage says at this moment; null when nothing any more. Asked for many at
   * once, it costs one query for each 500 of them. Other principals are as they were.
   */
  async recheck(principal: Principal): Promise<Principal | null> {
    const { kind, id } = principal.credential;
    if (kind !== 'key' || id === null) return principal;
    const row = await this.#reads.read(id);
    return row && isInUse(row, this.#now()) ? toPrincipal(row) : null;
  }

  /** The next look at this key goes to the storage. */
  forget(keyId: string): void {
    this.#cache.delete(keyId);
  }

  #row(keyId: string): Promise<KeyRow | null> {
    const at = performance.now();
    const cached = this.#cache.get(keyId);
    if (cached && at - cached.at < MAX_AGE_MS) return cached.row;
    const entry = { at, row: this.#reads.read(keyId) };
    this.#cache.delete(keyId);
    this.#cache.set(keyId, entry);
    this.#trim(at);
    // A failure is no answer. Whoever waits for the row hears of it.
    entry.row.catch(() => {
      if (this.#cache.get(keyId) === entry) this.#cache.delete(keyId);
    });
    return entry.row;
  }

  #trim(now: number): void {
    for (const [keyId, { at }] of this.#cache) {
      if (this.#cache.size <= MAX_CACHED && now - at < MAX_AGE_MS) return;
      this.#cache.delete(keyId);
    }
  }
}
