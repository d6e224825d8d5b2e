/** Ids in one query, with the event loop free between two. */
const MAX_BATCH = 500;

interface Asked<Row> {
  readonly resolve: (row: Row | null) => void;
  readonly reject: (error: unknown) => void;
}

export interface GatheredReadsOptions<Row> {
  /** Resolves in no order, and without those that are not there. */
  readonly get: (ids: readonly string[]) => Promise<readonly Row[]>;
  readonly idOf: (row: Row) => string;
}

/** Reads of single rows: those that come together are one query. */
export class GatheredReads<Row> {
  readonly #options: GatheredReadsOptions<Row>;
  #asked = new Map<string, Asked<Row>[]>();

  constructor(options: GatheredReadsOptions<Row>) {
    this.#options = options;
  }

  /** The row as of this moment or later; null when there is none. */
  read(id: string): Promise<Row | null> {
    return new Promise((resolve, reject) => {
      if (this.#asked.size === 0) setImmediate(() => void this.#look());
      const asked = this.#asked.get(id);
      if (asked) asked.push({ resolve, reject });
      else this.#asked.set(id, [{ resolve, reject }]);
    });
  }

  async #look(): Promise<void> {
    const batch = new Map(this.#asked.entries().take(MAX_BATCH));
    for (const id of batch.keys()) this.#asked.delete(id);
    if (this.#asked.size > 0) setImmediate(() => void this.#look());
    try {
      const rows = await this.#options.get([...batch.keys()]);
      const found = new Map(rows.map((row) => [this.#options.idOf(row), row]));
      for (const [id, asked] of batch) for (const one of asked) one.resolve(found.get(id) ?? null);
    } catch (error) {
      for (const asked of batch.values()) for (const one of asked) one.reject(error);
    }
  }
}
