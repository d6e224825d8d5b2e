/** How many answers are held back at once: of all, and of one source. What is beyond is answered at once. */
const MAX_HELD = 256;
const MAX_HELD_OF_SOURCE = 4;

/** Answers that are held back for a while, so that failing again takes time. */
export class HeldAnswers {
  readonly #held = new Map<NodeJS.Timeout, () => void>();
  readonly #ofSource = new Map<string, number>();
  #closed = false;

  get count(): number {
    return this.#held.size;
  }

  /** Resolves after so many milliseconds; at once when too many wait already, and when the server stops. */
  async hold(source: string, ms: number): Promise<void> {
    const held = this.#ofSource.get(source) ?? 0;
    if (ms <= 0 || this.#closed || this.#held.size >= MAX_HELD || held >= MAX_HELD_OF_SOURCE) return;
    this.#ofSource.set(source, held + 1);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#held.delete(timer);
        resolve();
      }, ms);
      this.#held.set(timer, resolve);
    });
    const left = (this.#ofSource.get(source) ?? 1) - 1;
    if (left > 0) this.#ofSource.set(source, left);
    else this.#ofSource.delete(source);
  }

  /** Lets all go. */
  close(): void {
    this.#closed = true;
    for (const [timer, resolve] of this.#held) {
      clearTimeout(timer);
      resolve();
    }
    this.#held.clear();
  }
}
