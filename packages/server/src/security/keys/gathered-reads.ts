import type { KeyRow, KeyStorage } from '../../storage/keys.ts';

/** Ids in one query, with the event loop free between two. */
const MAX_BATCH = 500;

interface Asked {
  readonly resolve: (row: KeyRow | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads of single keys: those that come together are one query. */
export class GatheredReads {
  readonly #storage: Pick<KeyStorage, 'get'>;
  #asked = new Map<string, Asked[]>();

  constructor(storage: Pick<KeyStorage, 'get'>) {
    this.#storage = storage;
  }

  /** The row as of this moment or later; null when there is none. */
  read(keyId: string): Promise<KeyRow | null> {
    return new Promise((resolve, reject) => {
      if (this.#asked.size === 0) setImmediate(() => void this.#look());
      const asked = this.#asked.get(keyId);
      if (asked) asked.push({ resolve, reject });
      else this.#asked.set(keyId, [{ resolve, reject }]);
    });
  }

  async #look(): Promise<void> {
    const batch = new Map(this.#asked.entries().take(MAX_BATCH));
    for (const keyId of batch.keys()) this.#asked.delete(keyId);
    if (this.#asked.size > 0) setImmediate(() => void this.#look());
    try {
      const rows = await this.#storage.get([...batch.keys()]);
      const found = new Map(rows.map((row) => [row.keyId, row]));
      for (const [keyId, asked] of batch) for (const one of asked) one.resolve(found.get(keyId) ?? null);
    } catch (error) {
      for (const asked of batch.values()) for (const one of asked) one.reject(error);
    }
  }
}
