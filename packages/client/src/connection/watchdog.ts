/** Finds out that the other side is gone though no socket says so: after a silence it asks, and then waits for any sign. */
export interface WatchdogOptions {
  /** Milliseconds of silence after which it asks. */
  readonly intervalMs: number;
  /** Milliseconds for the answer. */
  readonly timeoutMs: number;
  readonly ask: () => void;
  readonly dead: () => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  #heardAt = performance.now();
  #askedAt: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#wait(options.intervalMs);
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Something suggests that the connection is lost: asks now. */
  suspect(): void {
    if (this.#askedAt === null) this.#ask();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), Math.max(ms, 1));
  }

  #look(): void {
    const { intervalMs, dead } = this.#options;
    if (this.#askedAt !== null && this.#heardAt < this.#askedAt) {
      dead();
      return;
    }
    this.#askedAt = null;
    const silence = performance.now() - this.#heardAt;
    if (silence >= intervalMs) this.#ask();
    else this.#wait(intervalMs - silence);
  }

  #ask(): void {
    this.#askedAt = performance.now();
    this.#options.ask();
    this.#wait(this.#options.timeoutMs);
  }
}
