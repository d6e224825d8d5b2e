/** How long to wait before connecting again: exponential, with full jitter, so that clients do not come all at once. */
export interface BackoffOptions {
  /** Milliseconds; the first wait is at most this long. */
  readonly firstMs: number;
  readonly maxMs: number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds before the next attempt. */
  next(): number {
    const { firstMs, maxMs } = this.#options;
    const limit = Math.min(maxMs, firstMs * 2 ** Math.min(this.#attempts++, 30));
    return this.#random() * limit;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
