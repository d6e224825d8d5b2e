/** What another process changes holds here after this time at the latest. */
const MAX_AGE_MS = 500;
const MAX_CACHED = 10_000;

interface Cached<Row> {
  /** When it was asked for; monotonic. */
  readonly at: number;
  readonly row: Promise<Row | null>;
}

/** Rows of single ids as they were half a second ago at most. */
export class RecentRows<Row> {
  readonly #read: (id: string) => Promise<Row | null>;
  /** In the order in which they were asked for. */
  readonly #cache = new Map<string, Cached<Row>>();

  constructor(read: (id: string) => Promise<Row | null>) {
    this.#read = read;
  }

  get(id: string): Promise<Row | null> {
    const at = performance.now();
    const cached = this.#cache.get(id);
    if (cached && at - cached.at < MAX_AGE_MS) return cached.row;
    const entry = { at, row: this.#read(id) };
    this.#cache.delete(id);
    this.#cache.set(id, entry);
    this.#trim(at);
    // A failure is no answer. Whoever waits for the row hears of it.
    entry.row.catch(() => {
      if (this.#cache.get(id) === entry) this.#cache.delete(id);
    });
    return entry.row;
  }

  /** The next look at it goes to the storage. */
  forget(id: string): void {
    this.#cache.delete(id);
  }

  #trim(now: number): void {
    for (const [id, { at }] of this.#cache) {
      if (this.#cache.size <= MAX_CACHED && now - at < MAX_AGE_MS) return;
      this.#cache.delete(id);
    }
  }
}
