import { BoundedMap } from './bounded-map.ts';

/** What a caller is told of its rate. */
export interface Quota {
  /** The name of the policy. */
  readonly policy: string;
  readonly limit: number;
  /** Seconds in which so many may come. */
  readonly window: number;
  /** How many may come at once now. */
  readonly remaining: number;
  /** Seconds until `limit` may come at once again. */
  readonly reset: number;
}

export interface RateLimiterOptions {
  readonly policy: string;
  /** How many in a window, and how many at once. */
  readonly limit: number;
  /** Seconds. Default: a minute. */
  readonly window?: number;
  /** How many sources are remembered. Default: 50,000. */
  readonly maxSources?: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

const MINUTE = 60;
const MAX_SOURCES = 50_000;

/** A token bucket for each source. It goes by a clock that only runs forward, and costs no timer. */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #window: number;
  readonly #perSecond: number;
  readonly #buckets: BoundedMap<Bucket>;

  constructor(options: RateLimiterOptions) {
    this.#options = Object.freeze({ ...options });
    this.#window = options.window ?? MINUTE;
    this.#perSecond = options.limit / this.#window;
    this.#buckets = new BoundedMap(options.maxSources ?? MAX_SOURCES);
  }

  /** How many sources are remembered. */
  get sources(): number {
    return this.#buckets.size;
  }

  /** Takes one, if there is one. `retryAfter`: seconds until there is one again; 0 when it was taken. */
  take(source: string): { readonly quota: Quota; readonly retryAfter: number } {
    const bucket = this.#filled(source);
    const isThere = bucket.tokens >= 1;
    if (isThere) bucket.tokens--;
    return {
      quota: this.#quota(bucket),
      retryAfter: isThere ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) / this.#perSecond)),
    };
  }

  /** Gives back what was taken for something that somebody else's limit has refused. */
  giveBack(source: string): void {
    const bucket = this.#filled(source);
    bucket.tokens = Math.min(this.#options.limit, bucket.tokens + 1);
  }

  #filled(source: string): Bucket {
    const now = performance.now();
    const { limit } = this.#options;
    const known = this.#buckets.get(source);
    if (known) {
      known.tokens = Math.min(limit, known.tokens + ((now - known.at) / 1000) * this.#perSecond);
      known.at = now;
      return known;
    }
    const bucket = { tokens: limit, at: now };
    this.#buckets.set(source, bucket);
    return bucket;
  }

  #quota({ tokens }: Bucket): Quota {
    const { policy, limit } = this.#options;
    return {
      policy,
      limit,
      window: this.#window,
      remaining: Math.floor(tokens),
      reset: Math.ceil((limit - tokens) / this.#perSecond),
    };
  }
}
