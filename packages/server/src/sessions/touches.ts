import type { SessionKey, SessionRow, Storage } from '../storage/types.ts';

/** A touch is written within this time; a crash loses at most that much of a session's idle time. */
const DELAY_MS = 1000;

/**
 * When sessions were last used. Touches are collected and written together; one timer for all, and none when nothing happens.
 */
export class Touches {
  readonly #storage: Storage;
  readonly #report: (stage: string, error: unknown) => void;
  /** What is not known to be written: it also holds what is being written. */
  readonly #pending = new Map<string, { readonly key: SessionKey; readonly at: number }>();
  #timer: NodeJS.Timeout | null = null;
  /** Settled when no write is going on or to come. */
  #last: Promise<unknown> = Promise.resolve();
  /** The write to come. */
  #next: Promise<boolean> | null = null;
  #stopped = false;

  constructor(storage: Storage, report: (stage: string, error: unknown) => void) {
    this.#storage = storage;
    this.#report = report;
  }

  touch(key: SessionKey, at = Date.now()): void {
    this.#pending.set(key.sessionId, { key, at });
    this.#arm();
  }

  /** The row as of now: with the touch that is not written yet. */
  apply<Row extends SessionRow>(row: Row): Row {
    const touch = this.#pending.get(row.sessionId);
    return touch && touch.at > row.lastInteractionAt ? { ...row, lastInteractionAt: touch.at } : row;
  }

  /**
   * Writes what is pending; true when all that was touched before is written. Never rejects: a failure is reported, and
   * the touches are kept and tried again soon.
   */
  flush(): Promise<boolean> {
    // A write that is going on may lack the newest touches, so whoever asks meanwhile shares the one after it.
    this.#next ??= this.#last.then(() => {
      this.#next = null;
      return this.#write();
    });
    this.#last = this.#next;
    return this.#next;
  }

  /** Writes what is pending a last time. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.flush();
  }

  #arm(): void {
    if (!this.#stopped) this.#timer ??= setTimeout(() => void this.flush(), DELAY_MS);
  }

  async #write(): Promise<boolean> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = [...this.#pending.values()];
    if (batch.length === 0) return true;
    try {
      await this.#storage.touchSessions(batch);
    } catch (error) {
      this.#report('touch sessions', error);
      this.#arm();
      return false;
    }
    for (const touch of batch) {
      const { sessionId } = touch.key;
      if (this.#pending.get(sessionId) === touch) this.#pending.delete(sessionId);
    }
    return true;
  }
}
