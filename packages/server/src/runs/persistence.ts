import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineLogger } from '../engines/types.ts';
import type { AppendOutcome } from '../storage/types.ts';

/** While the storage is failing. */
const RETRY_MS = [100, 500, 2000, 5000, 10_000, 30_000];

/** A run always gets on and ends: while the storage is failing it is tried again, and the run keeps its place. */
export class Persistence {
  readonly #logger: EngineLogger;
  readonly #abandoned = new AbortController();
  /** Something could not be recorded at first. */
  hasRetried = false;

  constructor(logger: EngineLogger) {
    this.#logger = logger;
  }

  /** The process ends: do not wait for the storage to recover. */
  abandon(): void {
    this.#abandoned.abort();
  }

  async record(what: string, append: () => Promise<AppendOutcome>): Promise<AppendOutcome> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await append();
      } catch (error) {
        this.hasRetried = true;
        if (attempt > 0 && this.#abandoned.signal.aborted) throw error;
        const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] as number;
        this.#logger.error({ err: error, retry_ms: wait }, `the ${what} of the run cannot be written yet`);
        // Woken by `abandon`, for one last attempt.
        await sleep(wait, undefined, { signal: this.#abandoned.signal }).catch(() => {});
      }
    }
  }
}
