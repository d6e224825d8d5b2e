const WINDOW_MS = 10_000;
/** Far beyond what a server has to say; at this rate it only keeps others from their turn. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_MESSAGES = 20_000;

/** Finds out that a server sends without end. */
export class FloodGuard {
  #since = performance.now();
  #bytes = 0;
  #messages = 0;

  /** True when it is too much. */
  count(bytes: number, messages: number): boolean {
    const now = performance.now();
    if (now - this.#since >= WINDOW_MS) {
      this.#since = now;
      this.#bytes = 0;
      this.#messages = 0;
    }
    this.#bytes += bytes;
    this.#messages += messages;
    return this.#bytes > MAX_BYTES || this.#messages > MAX_MESSAGES;
  }
}
