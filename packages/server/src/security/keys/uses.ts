import type { KeyRow, KeyStorage } from '../../storage/keys.ts';
import { Uses } from '../uses.ts';

const INTERVAL_MS = 60_000;

export interface KeyUsesParts {
  readonly storage: Pick<KeyStorage, 'used'>;
  readonly now: () => number;
  readonly report: (stage: string, error: unknown) => void;
}

/** When keys were last used: known to the minute. */
export class KeyUses {
  readonly #uses: Uses;

  constructor({ storage, ...rest }: KeyUsesParts) {
    this.#uses = new Uses({
      stage: 'last use of keys',
      intervalMs: INTERVAL_MS,
      write: (uses) => storage.used(uses.map(({ id: keyId, at }) => ({ keyId, at }))),
      ...rest,
    });
  }

  note({ keyId, lastUsedAt }: Pick<KeyRow, 'keyId' | 'lastUsedAt'>): void {
    this.#uses.note(keyId, lastUsedAt ?? 0);
  }

  /** Writes what is pending. Never rejects. */
  flush(): Promise<void> {
    return this.#uses.flush();
  }

  /** Writes what is pending a last time. */
  stop(): Promise<void> {
    return this.#uses.stop();
  }
}
