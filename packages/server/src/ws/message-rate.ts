/**
 * How fast clients may send: every frame takes a token of its connection and one of its principal. Audio is counted in
 * bytes, by buckets of its own; it is never refused, but read no faster.
 */
import type { ConfigValues } from '../config.ts';
import type { Principal } from '../security/principal.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { TokenBucket } from './token-bucket.ts';

/** Frames over the rate that are answered with an error before the connection is closed; one more each second. */
const STRIKES = 10;

/** Bytes of audio that count as much as a message. */
const AUDIO_BYTES = 65_536;
/** What the smallest frame of audio costs. */
const MIN_AUDIO_BYTES = 256;

interface Buckets {
  readonly messages: TokenBucket;
  readonly audio: TokenBucket;
}

/** The rate of one connection. */
export class MessageRate {
  readonly #own: Buckets;
  readonly #shared: Buckets;
  /** Most connections never need it. */
  #strikes: TokenBucket | null = null;

  constructor(own: Buckets, shared: Buckets) {
    this.#own = own;
    this.#shared = shared;
  }

  /** Whether one more frame may come now. */
  take(): boolean {
    return this.#own.messages.take() && this.#shared.messages.take();
  }

  /** Counts a frame of audio; returns the seconds to wait before more of it is read. */
  spend(bytes: number): number {
    const tokens = Math.max(bytes, MIN_AUDIO_BYTES) / AUDIO_BYTES;
    return Math.max(this.#own.audio.spend(tokens), this.#shared.audio.spend(tokens));
  }

  /** Counts a frame that was too many; false when there have been too many of those. */
  forgive(): boolean {
    this.#strikes ??= new TokenBucket(1, STRIKES);
    return this.#strikes.take();
  }
}

interface PrincipalUse {
  readonly buckets: Buckets;
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
      use = { buckets: this.#buckets(), connections: 0 };
      this.#principals.set(id, use);
    }
    use.connections++;
    this.#idle.delete(id);
    return new MessageRate(this.#buckets(), use.buckets);
  }

  /** A connection that has joined is closed. */
  leave(principal: Principal): void {
    // It was not counted, and may be the same principal as others that were.
    if (principal.local) return;
    const id = idOf(principal);
    const use = this.#principals.get(id);
    if (use && --use.connections === 0) this.#idle.add(id);
  }

  close(): void {
    this.#principals.clear();
    this.#idle.clear();
  }

  #buckets(): Buckets {
    return {
      messages: new TokenBucket(this.#rate, this.#burst),
      audio: new TokenBucket(this.#rate, this.#burst),
    };
  }
}

function idOf(principal: Principal): string {
  return `${principal.tenantId}\n${principal.id}`;
}
