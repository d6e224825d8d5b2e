/** How fast clients may send: every frame takes a token of its connection and one of its principal. */
import type { ConfigValues } from '../config.ts';
import type { Principal } from '../security/principal.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { TokenBucket } from './token-bucket.ts';

/** Frames over the rate that are answered with an error before the connection is closed; one more each second. */
const STRIKES = 10;

/** The rate of one connection. */
export class MessageRate {
  readonly #own: TokenBucket;
  readonly #shared: TokenBucket;
  /** Most connections never need it. */
  #strikes: TokenBucket | null = null;

  constructor(own: TokenBucket, shared: TokenBucket) {
    this.#own = own;
    this.#shared = shared;
  }

  /** Whether one more frame may come now. */
  take(): boolean {
    return this.#own.take() && this.#shared.take();
  }

  /** Counts a frame that was too many; false when there have been too many of those. */
  forgive(): boolean {
    this.#strikes ??= new TokenBucket(1, STRIKES);
    return this.#strikes.take();
  }
}

interface PrincipalUse {
  readonly bucket: TokenBucket;
  connections: number;
}

export class MessageRates {
  readonly #rate: number;
  readonly #burst: number;
  readonly #principals = new Map<string, PrincipalUse>();
  /** Those without a connection are remembered until their bucket is full: connecting again gives nobody a new one. */
  readonly #idle: DeadlineQueue<string>;

  constructor(values: ConfigValues) {
    this.#rate = values.websocketMessageRate;
    this.#burst = values.websocketMessageBurst;
    this.#idle = new DeadlineQueue((this.#burst / this.#rate) * 1000, (id) => this.#principals.delete(id));
  }

  /** The rate of a new connection; null for callers on the same machine, who may send as fast as they like. */
  join(principal: Principal): MessageRate | null {
    if (principal.local) return null;
    const id = idOf(principal);
    let use = this.#principals.get(id);
    if (!use) {
      use = { bucket: new TokenBucket(this.#rate, this.#burst), connections: 0 };
      this.#principals.set(id, use);
    }
    use.connections++;
    this.#idle.delete(id);
    return new MessageRate(new TokenBucket(this.#rate, this.#burst), use.bucket);
  }

  /** A connection that has joined is closed. */
  leave(principal: Principal): void {
    const id = idOf(principal);
    const use = this.#principals.get(id);
    if (use && --use.connections === 0) this.#idle.add(id);
  }

  close(): void {
    this.#principals.clear();
    this.#idle.clear();
  }
}

function idOf(principal: Principal): string {
  return `${principal.tenantId}\n${principal.id}`;
}
