/** The kill switch: ends every run that has not ended, or those of one tenant. */
import { setImmediate } from 'node:timers/promises';
import { ApiError } from '@llmgine/protocol';
import type { RunPlace, SessionKey, Storage, UnfinishedRun } from '../storage/types.ts';
import type { Execution } from './execution.ts';

export interface StopAllOptions {
  readonly storage: Pick<Storage, 'unfinishedRuns'>;
  readonly executor: { executions(tenantId?: string): readonly Execution[] };
  readonly runs: { cancel(key: SessionKey, runId: string): Promise<unknown> };
}

/** Runs that are cancelled at the same time: their ends share a commit, and between two slices others get their turn. */
const SLICE = 100;
/** Callers may go on giving commands meanwhile; each pass ends what was there when it began, and what began since. */
const MAX_PASSES = 20;

/**
 * Resolves with the number of runs that are cancelled now, when the end of each is durable. What executes here stops before
 * anything is read, also when the storage fails. Running ones come before those that wait, and of a session the newest come
 * first, so that none takes the place of another. Rejects with `UNAVAILABLE` when the end of some cannot be recorded yet;
 * asking again does the rest.
 */
export async function stopAll(options: StopAllOptions, tenantId?: string): Promise<number> {
  const pass = new Stopping(options, tenantId);
  pass.stopHere();
  await pass.through(({ status }) => status === 'running');
  for (let count = 1; count <= MAX_PASSES && (await pass.through(() => true)); count++);
  return pass.settled();
}

class Stopping {
  readonly #options: StopAllOptions;
  readonly #tenantId: string | undefined;
  readonly #stopped = new Set<string>();
  readonly #failed = new Set<string>();
  readonly #here = new Map<Execution, Promise<void>>();

  constructor(options: StopAllOptions, tenantId: string | undefined) {
    this.#options = options;
    this.#tenantId = tenantId;
  }

  /** Before each slice: a session's next run may have begun. */
  stopHere(): void {
    for (const execution of this.#options.executor.executions(this.#tenantId)) {
      if (this.#here.has(execution)) continue;
      execution.stop('cancelled');
      const { run } = execution;
      this.#here.set(execution, this.#cancel(run, run.runId));
    }
  }

  /** True when there was something to stop. */
  async through(fits: (run: UnfinishedRun) => boolean): Promise<boolean> {
    let found = false;
    let before: RunPlace | null = null;
    do {
      const page = await this.#options.storage.unfinishedRuns({
        limit: SLICE,
        ...(this.#tenantId === undefined ? {} : { tenantId: this.#tenantId }),
        ...(before ? { before } : {}),
      });
      this.stopHere();
      const runs = page.runs.filter(fits);
      await Promise.all(runs.map((run) => this.#cancel(run, run.runId)));
      found ||= runs.length > 0;
      before = page.next;
      await setImmediate();
    } while (before);
    return found;
  }

  async settled(): Promise<number> {
    await Promise.all(this.#here.values());
    if (this.#failed.size === 0) return this.#stopped.size;
    const message = `${this.#stopped.size} runs are stopped; the end of ${this.#failed.size} cannot be recorded yet`;
    throw new ApiError('UNAVAILABLE', message, { retryAfter: 5 });
  }

  async #cancel(key: SessionKey, runId: string): Promise<void> {
    const name = `${key.sessionId} ${runId}`;
    try {
      await this.#options.runs.cancel(key, runId);
      this.#stopped.add(name);
      this.#failed.delete(name);
    } catch (error) {
      // It has ended otherwise, or its session is gone.
      if (error instanceof ApiError && error.code === 'RUN_NOT_FOUND') this.#failed.delete(name);
      else this.#failed.add(name);
    }
  }
}
