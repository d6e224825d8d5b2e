import type { Storage } from '../storage/types.ts';
import type { RequestService } from './requests.ts';

/** The longest time that one timer can wait for. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const SLICE = 100;
const RETRY_MS = 5000;

export interface RequestExpiryOptions {
  readonly storage: Storage;
  readonly requests: RequestService;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly report: (stage: string, error: unknown) => void;
}

/** Resolves requests at their deadline. One timer, for the next deadline of all. */
export class RequestExpiry {
  readonly #options: RequestExpiryOptions;
  #timer: NodeJS.Timeout | null = null;
  #deadline = Number.POSITIVE_INFINITY;
  #sweeping: Promise<void> | null = null;
  #stopped = true;

  constructor(options: RequestExpiryOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.#sweep();
  }

  /** Resolves when nothing is going on any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#sweeping;
  }

  /** Something expires then. */
  notice(expiresAt: number): void {
    this.#arm(expiresAt);
  }

  /** What expires next may have been asked in another process, which is gone. Rejects when the storage fails. */
  async look(): Promise<void> {
    const next = await this.#options.storage.nextRequestExpiry();
    if (next !== null) this.#arm(next);
  }

  #sweep(): Promise<void> {
    this.#sweeping ??= this.#expire().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  /** Later when the storage fails. Never rejects. */
  async #expire(): Promise<void> {
    const { storage, requests, now, report } = this.#options;
    try {
      for (;;) {
        const due = await storage.dueRequests(now(), SLICE);
        await Promise.all(due.map((row) => requests.expire(row)));
        if (due.length < SLICE || this.#stopped) break;
      }
      await this.look();
    } catch (error) {
      report('expire requests', error);
      this.#arm(now() + RETRY_MS);
    }
  }

  #arm(deadline: number): void {
    if (this.#stopped || (this.#timer && deadline >= this.#deadline)) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#deadline = deadline;
    const wait = Math.min(Math.max(deadline - this.#options.now() + 1, 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#sweep();
    }, wait);
    // The process may end while nothing but a deadline is left.
    this.#timer.unref();
  }
}
