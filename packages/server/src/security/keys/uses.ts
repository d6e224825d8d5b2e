import type { KeyRow, KeyStorage } from '../../storage/keys.ts';

/** A use is written this often at most, and for each process. */
const INTERVAL_MS = 60_000;
/** Uses are collected for this time; a crash loses them. */
const DELAY_MS = 1000;

export interface KeyUsesParts {
  readonly storage: Pick<KeyStorage, 'used'>;
  readonly now: () => number;
  readonly report: (stage: string, error: unknown) => void;
}

/** When keys were last used: known to the minute, and never a reason to hold up a request. */
export class KeyUses {
  readonly #parts: KeyUsesParts;
  /** What was noted within the interval, the oldest first. */
  readonly #noted = new Map<string, number>();
  #pending = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: KeyUsesParts) {
    this.#parts = parts;
  }

  note({ keyId, lastUsedAt }: Pick<KeyRow, 'keyId' | 'lastUsedAt'>): void {
    if (this.#stopped) return;
    const at = this.#parts.now();
    const last = Math.max(this.#noted.get(keyId) ?? 0, lastUsedAt ?? 0);
    // A clock that was set back must not stop the writing for good.
    if (Math.abs(at - last) < INTERVAL_MS) return;
    this.#noted.delete(keyId);
    this.#noted.set(keyId, at);
    this.#pending.set(keyId, at);
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
      await this.#parts.storage.used([...batch].map(([keyId, at]) => ({ keyId, at })));
    } catch (error) {
      this.#parts.report('last use of keys', error);
      for (const keyId of batch.keys()) this.#noted.delete(keyId);
    }
  }

  #forgetOld(): void {
    const now = this.#parts.now();
    for (const [keyId, at] of this.#noted) {
      if (Math.abs(now - at) < INTERVAL_MS) return;
      this.#noted.delete(keyId);
    }
  }
}
