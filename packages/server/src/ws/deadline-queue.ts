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

  constructor(delayMs: number, onDue: (item: T) => void, slackMs = Math.min(1000, delayMs / 30)) {
    this.#delayMs = delayMs;
    this.#slackMs = slackMs;
    this.#onDue = onDue;
  }

  /** Puts the item in, or to the end when it is in already. */
  add(item: T): void {
    this.#due.delete(item);
    this.#due.set(item, performance.now() + this.#delayMs);
    this.#timer ??= this.#arm(this.#delayMs);
  }

  delete(item: T): void {
    this.#due.delete(item);
  }

  clear(): void {
    this.#due.clear();
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(wait: number): NodeJS.Timeout {
    return setTimeout(this.#fire, wait);
  }

  readonly #fire = (): void => {
    this.#timer = null;
    const limit = performance.now() + this.#slackMs;
    for (const [item, at] of this.#due) {
      if (at > limit) {
        this.#timer ??= this.#arm(at - performance.now());
        return;
      }
      this.#due.delete(item);
      this.#onDue(item);
    }
  };
}
