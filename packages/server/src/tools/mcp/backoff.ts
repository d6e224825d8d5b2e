const FIRST_MS = 500;
const MAX_MS = 60_000;
/** A connection that lived so long counts as a new beginning. */
const HEALTHY_MS = 60_000;

/** How long to wait before the next attempt: twice as long after each failure, with jitter, so that not all come at once. */
export class Backoff {
  #failures = 0;

  /** `aliveMs`: how long there was a connection. */
  next(aliveMs: number): number {
    if (aliveMs >= HEALTHY_MS) this.#failures = 0;
    const full = Math.min(MAX_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures++;
    return full / 2 + (Math.random() * full) / 2;
  }
}
