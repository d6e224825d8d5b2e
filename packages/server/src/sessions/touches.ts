import type { SessionKey, SessionRow, Storage } from '../storage/types.ts';

/** A touch is written within this time; a crash loses at most that much of a session's idle time. */
const DELAY_MS = 1000;

/**
 * When sessions were last used. Touches are collected and written together; one timer for all, and none when nothing happens.
 */
export class Touches {
  readonly #storage: Storage;
  readonly #report: (stage: string, error: unknown) => void;
  #pending = new Map<string, { key: SessionKey; at: number }>();
  #timer: NodeJS.Timeout | null = null;

  constructor(storage: Storage, report: (stage: string, error: unknown) => void) {
    this.#storage = storage;
    this.#report = report;
  }

  touch(key: SessionKey, at = Date.now()): void {
    this.#pending.set(key.sessionId, { key, at });
    this.#timer ??= setTimeout(() => void this.flush(), DELAY_MS);
  }

  /** The row as of now: with the touch that is not written yet. */
  apply<Row extends SessionRow>(row: Row): Row {
    const touch = this.#pending.get(row.sessionId);
    return touch && touch.at > row.lastInteractionAt ? { ...row, lastInteractionAt: touch.at } : row;
  }

  /** Writes what is pending. Never rejects; a failure is reported, and the touches are kept for the next time. */
  async flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.size === 0) return;
    const batch = this.#pending;
    this.#pending = new Map();
    try {
      await this.#storage.touchSessions([...batch.values()]);
    } catch (error) {
      for (const [id, touch] of batch) if (!this.#pending.has(id)) this.#pending.set(id, touch);
      this.#report('touch sessions', error);
    }
  }
}
