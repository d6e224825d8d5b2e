/** Uses are collected for this time; a crash loses them. */
const DELAY_MS = 1000;

export interface UsesParts {
  /** What it is called when writing fails. */
  readonly stage: string;
  /** Milliseconds: a use of one thing is written this often at most, and for each process. */
  readonly intervalMs: number;
  readonly write: (uses: readonly { readonly id: string; readonly at: number }[]) => Promise<void>;
  readonly now: () => number;
  readonly report: (stage: string, error: unknown) => void;
}

/** When things were last used: known to the interval, and never a reason to hold up a request. */
export class Uses {
  readonly #parts: UsesParts;
  /** What was noted within the interval, the oldest first. */
  readonly #noted = new Map<string, number>();
  #pending = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: UsesParts) {
    this.#parts = parts;
  }

  /** `lastUsedAt`: what is written already, as far as is known. */
  note(id: string, lastUsedAt: number): void {
    if (this.#stopped) return;
    const at = this.#parts.now();
    const last = Math.max(this.#noted.get(id) ?? 0, lastUsedAt);
    // A clock that was set back must not stop the writing for good.
    if (Math.abs(at - last) < this.#parts.intervalMs) return;
    this.#noted.delete(id);
    this.#noted.set(id, at);
    this.#pending.set(id, at);
    this.#timer ??= setTimeout(() => void this.flush(), DELAY_MS).unref();
  }

  /** Writes what is pending. Never rejects: a failure is reported, and the uses are noted anew with the next ones. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** Writes what is pending a last time. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.flush();
  }

  async #write(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#pending;
    this.#pending = new Map();
    this.#forgetOld();
    if (batch.size === 0) return;
    try {
      await this.#parts.write([...batch].map(([id, at]) => ({ id, at })));
    } catch (error) {
      this.#parts.report(this.#parts.stage, error);
      for (const id of batch.keys()) this.#noted.delete(id);
    }
  }

  #forgetOld(): void {
    const now = this.#parts.now();
    for (const [id, at] of this.#noted) {
      if (Math.abs(now - at) < this.#parts.intervalMs) return;
      this.#noted.delete(id);
    }
  }
}
