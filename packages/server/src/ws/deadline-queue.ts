/**
 * Items that each come due the same time after they were put in. One timer for all of them, none while it is empty;
 * items that come due close together are handled together.
 */
export class DeadlineQueue<T> {
  readonly #delayMs: number;
  readonly #slackMs: number;
  readonly #onDue: (item: T) => void;
  /** In the order of their deadlines, because all wait equally long. */
  readonly #due = new Map<T, number>();
  #timer: NodeJS.Timeout | null = null;
  #firing = false;

  /** `onDue` may put the item in again, and must not throw. */
  constructor(delayMs: number, onDue: (item: T) => void, slackMs = Math.min(1000, delayMs / 30)) {
    this.#delayMs = delayMs;
    this.#slackMs = slackMs;
    this.#onDue = onDue;
  }

  /** Puts the item in, or to the end when it is in already. */
  add(item: T): void {
    this.#due.delete(item);
    this.#due.set(item, performance.now() + this.#delayMs);
    if (!this.#firing) this.#timer ??= setTimeout(this.#fire, this.#delayMs);
  }

  has(item: T): boolean {
    return this.#due.has(item);
  }

  delete(item: T): void {
    this.#due.delete(item);
  }

  clear(): void {
    this.#due.clear();
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  readonly #fire = (): void => {
    this.#timer = null;
    this.#firing = true;
    const limit = performance.now() + this.#slackMs;
    for (const [item, at] of this.#due) {
      if (at > limit) break;
      this.#due.delete(item);
      this.#onDue(item);
    }
    this.#firing = false;
    const next = this.#due.values().next();
    if (!next.done) this.#timer = setTimeout(this.#fire, Math.max(0, next.value - performance.now()));
  };
}
