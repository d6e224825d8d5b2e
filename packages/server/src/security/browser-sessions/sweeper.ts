import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BrowserSessionStorage } from '../../storage/browser-sessions.ts';

const INTERVAL_MS = 600_000;
const SLICE = 500;

export interface SweeperParts {
  readonly storage: Pick<BrowserSessionStorage, 'prune'>;
  readonly report: (stage: string, error: unknown) => void;
  /** Milliseconds since the Unix epoch. Default: the clock of the machine. */
  readonly now?: () => number;
}

/** Removes the sessions that have expired, at a start and every ten minutes; several processes may do it side by side. */
export class Sweeper {
  readonly #parts: SweeperParts;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.sweep(), INTERVAL_MS).unref();
    void this.sweep();
  }

  /** Resolves when nothing is left to remove. Never rejects: what fails is reported, and done the next time. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  /** Resolves when nothing is being removed any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { storage, report, now = Date.now } = this.#parts;
    try {
      while (!this.#stopped && (await storage.prune(now(), SLICE))) await nextTurn();
    } catch (error) {
      report('removing browser sessions', error);
    }
  }
}
