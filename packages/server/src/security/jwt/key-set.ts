import { ApiError } from '@llmgine/protocol';
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose';

/** After this time the keys are fetched again, while the old ones go on. */
const MAX_AGE_MS = 600_000;
/**
 * So long they go on when that fails: a provider that is down makes no new tokens, and those that it has made seldom live
 * longer. Without an end, whoever holds a stolen key could keep it valid by keeping the provider away.
 */
const MAX_STALE_MS = 3_600_000;
/** Unknown keys make the server ask again, at most so often. */
const COOL_DOWN_MS = 30_000;
/** The same after a failure, whatever is asked for. */
const RETRY_MS = 5000;

export interface KeySetOptions {
  readonly fetch: () => Promise<JSONWebKeySet>;
  /** Hears of each fetch that fails. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds of a clock that is never set back. */
  readonly now?: () => number;
}

interface Keys {
  readonly find: ReturnType<typeof createLocalJWKSet>;
  readonly at: number;
}

/**
 * The keys of a provider. Those who use known keys never wait for it once there are any, and a flood of tokens with unknown
 * keys is one request to it. (`createRemoteJWKSet` would drop its keys when a refresh fails, and does not cool down after a
 * failure.)
 */
export class KeySet {
  readonly #options: KeySetOptions;
  readonly #now: () => number;
  #keys: Keys | null = null;
  #loading: Promise<Keys> | null = null;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(options: KeySetOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Rejects with `UNAVAILABLE` when only the provider could tell and does not answer, with jose's errors otherwise. */
  async find(header: JWSHeaderParameters): Promise<CryptoKey> {
    const keys = await this.#current();
    try {
      return await keys.find(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // Perhaps the provider has new ones.
      const newer = await this.#newer();
      if (newer === keys) throw error;
      return newer.find(header);
    }
  }

  /** Fetches the keys before somebody needs them. Never rejects. */
  async prepare(): Promise<void> {
    await this.#load().catch(() => {});
  }

  async #current(): Promise<Keys> {
    const keys = this.#keys;
    const age = this.#now() - (keys?.at ?? Number.NEGATIVE_INFINITY);
    if (!keys || age > MAX_STALE_MS) return this.#load();
    if (age > MAX_AGE_MS) void this.prepare();
    return keys;
  }

  async #newer(): Promise<Keys> {
    const keys = this.#keys;
    return keys && this.#now() - keys.at < COOL_DOWN_MS ? keys : this.#load();
  }

  #load(): Promise<Keys> {
    this.#loading ??= this.#fetch().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #fetch(): Promise<Keys> {
    if (this.#now() - this.#failedAt < RETRY_MS) throw unavailable();
    try {
      const find = createLocalJWKSet(await this.#options.fetch());
      this.#keys = { find, at: this.#now() };
      return this.#keys;
    } catch (error) {
      this.#failedAt = this.#now();
      this.#options.onError(error);
      throw unavailable(error);
    }
  }
}

function unavailable(cause?: unknown): ApiError {
  return new ApiError('UNAVAILABLE', 'The keys that tokens are checked with cannot be fetched right now', {
    retryAfter: RETRY_MS / 1000,
    cause,
  });
}
