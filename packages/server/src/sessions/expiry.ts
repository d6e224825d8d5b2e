import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SessionKey, Storage } from '../storage/types.ts';
import type { SteadyClock } from './steady-clock.ts';

/** The longest time that one timer can wait for. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const EXPIRE_SLICE = 100;
const PURGE_SLICE = 2000;
const RETRY_MS = 5000;

export interface ExpiryOptions {
  readonly storage: Storage;
  readonly clock: SteadyClock;
  /** Milliseconds untouched after which a session expires; 0 = never. */
  readonly timeoutMs: number;
  /** Writes pending touches, so that the storage knows who is in use; false when it could not. */
  readonly flushTouches: () => Promise<boolean>;
  readonly onExpired: (key: SessionKey) => void;
  readonly report: (stage: string, error: unknown) => void;
}

/**
 * Ends sessions at their deadline and removes what deleted ones leave. One timer for the next deadline of all sessions:
 * touching a session only moves its deadline back, so a timer that fires too early looks again and sleeps on.
 */
export class Expiry {
  readonly #options: ExpiryOptions;
  #timer: NodeJS.Timeout | null = null;
  #deadline = Number.POSITIVE_INFINITY;
  #purging: Promise<void> | null = null;
  /** Asked for since the last look. */
  #purgeAgain = false;
  #stopped = true;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return !this.#stopped;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    this.purge();
    await this.sweep();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A session was touched last at this time and may expire; called when one is made and when a run ends. */
  notice(lastInteractionAt: number): void {
    if (this.#options.timeoutMs > 0) this.#arm(lastInteractionAt + this.#options.timeoutMs);
  }

  /**
   * Expires what is due, in slices with the event loop free in between; later when the storage fails, or does not know
   * who is in use. Never rejects.
   */
  async sweep(): Promise<void> {
    const { storage, clock, timeoutMs } = this.#options;
    if (timeoutMs === 0 || this.#stopped) return;
    let began = clock.now();
    try {
      for (;;) {
        // Before each slice: sessions may have been touched since the one before it.
        if (!(await this.#options.flushTouches())) {
          this.#arm(clock.now() + RETRY_MS);
          return;
        }
        if (this.#stopped) return;
        began = clock.now();
        const expired = await storage.expireSessions(began - timeoutMs, EXPIRE_SLICE);
        for (const key of expired) this.#options.onExpired(key);
        if (expired.length > 0) this.purge();
        if (expired.length < EXPIRE_SLICE) break;
        await nextTurn();
      }
      await this.look(began);
    } catch (error) {
      this.#options.report('expire sessions', error);
      this.#arm(clock.now() + RETRY_MS);
    }
  }

  /**
   * What expires next may have been made by another process, which is gone. `began`: when those that were due then have
   * been expired. Rejects when the storage fails.
   */
  async look(began = Number.NEGATIVE_INFINITY): Promise<void> {
    const { storage, timeoutMs, clock } = this.#options;
    const next = timeoutMs === 0 ? null : await storage.nextExpiry();
    if (next === null) return;
    // What is due and was not expired is held by somebody.
    const isHeld = next + timeoutMs < began;
    this.#arm(isHeld ? clock.now() + RETRY_MS : next + timeoutMs);
  }

  /** Removes the rows of sessions deleted until now in slices, with the event loop free in between. */
  purge(): void {
    this.#purgeAgain = true;
    this.#purging ??= this.#purgeAll().finally(() => {
      this.#purging = null;
      // The last look may have been too early for who asked after it.
      if (this.#purgeAgain && !this.#stopped) this.purge();
    });
  }

  /** Resolves when no purge is going on. */
  async purged(): Promise<void> {
    while (this.#purging) await this.#purging;
  }

  async #purgeAll(): Promise<void> {
    try {
      while (!this.#stopped) {
        this.#purgeAgain = false;
        if (!(await this.#options.storage.purge(PURGE_SLICE))) return;
        await nextTurn();
      }
    } catch (error) {
      this.#options.report('purge sessions', error);
      setTimeout(() => this.purge(), RETRY_MS).unref();
    }
  }

  #arm(deadline: number): void {
    if (this.#stopped || (this.#timer && deadline >= this.#deadline)) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#deadline = deadline;
    const wait = Math.min(Math.max(deadline - this.#options.clock.now() + 1, 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.sweep();
    }, wait);
    // The process may end while nothing but a deadline is left.
    this.#timer.unref();
  }
}
