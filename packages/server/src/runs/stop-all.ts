/** The kill switch: ends every run that has not ended, or those of one tenant. */
import { setImmediate } from 'node:timers/promises';
import { ApiError } from '@llmgine/protocol';
import type { RunPlace, SessionKey, Storage, UnfinishedRun, WaitingRun } from '../storage/types.ts';
import type { Execution } from './execution.ts';

export interface StopAllOptions {
  readonly storage: Pick<Storage, 'unfinishedRuns' | 'waitingRuns'>;
  readonly executor: {
    executions(tenantId?: string): readonly Execution[];
    hold(tenantId?: string): () => void;
    notice(key: SessionKey): void;
  };
  readonly runs: { cancel(key: SessionKey, runId: string): Promise<unknown> };
  /** False when the run does not wait as it did, or has ended. */
  readonly endWaiting: (run: WaitingRun) => Promise<boolean>;
}

/** Runs that are cancelled at the same time: their ends share a commit, and between two slices others get their turn. */
const SLICE = 100;
/** The same of those that wait, which take one statement and one commit together. */
const WAITING_SLICE = 500;
/** Events that go into one commit, about: a run may have asked a thousand times. */
const EVENTS_AT_ONCE = 2000;
/** Callers may go on giving commands meanwhile; each pass ends what was there when it began, and what began since. */
const MAX_PASSES = 20;

/**
 * Resolves with the number of runs that are cancelled now, when the end of each is durable. What executes here stops before
 * anything is read, also when the storage fails, and nothing begins to execute here meanwhile. Running ones come before those
 * that wait, and of a session the newest come first, so that none takes the place of another. Rejects with `UNAVAILABLE` when
 * the end of some cannot be recorded yet; asking again does the rest.
 */
export async function stopAll(options: StopAllOptions, tenantId?: string): Promise<number> {
  const release = options.executor.hold(tenantId);
  const stopping = new Stopping(options, tenantId);
  let allEnded = false;
  try {
    stopping.stopHere();
    await stopping.through({ status: 'running' });
    await stopping.waiting();
    let left = true;
    for (let count = 1; left && count <= MAX_PASSES; count++) left = await stopping.through({});
    const stopped = await stopping.settled();
    allEnded = !left;
    return stopped;
  } finally {
    // What has not ended may have come to the place of its session.
    if (!allEnded) stopping.lookAgain();
    release();
  }
}

class Stopping {
  readonly #options: StopAllOptions;
  readonly #ofTenant: { readonly tenantId?: string };
  readonly #stopped = new Set<string>();
  readonly #failed = new Set<string>();
  readonly #here = new Map<Execution, Promise<void>>();
  /** Whose runs were ended without a look at what is behind them. */
  readonly #sessions = new Map<string, SessionKey>();

  constructor(options: StopAllOptions, tenantId: string | undefined) {
    this.#options = options;
    this.#ofTenant = tenantId === undefined ? {} : { tenantId };
  }

  /** Before each slice: what was about to execute when it began may execute now. */
  stopHere(): void {
    for (const execution of this.#options.executor.executions(this.#ofTenant.tenantId)) {
      if (this.#here.has(execution)) continue;
      execution.stop('cancelled');
      const { run } = execution;
      this.#here.set(execution, this.#cancel(run));
    }
  }

  /** True when there was something to stop. */
  async through(which: { readonly status?: 'running' }): Promise<boolean> {
    let found = false;
    let before: RunPlace | null = null;
    do {
      const page = await this.#options.storage.unfinishedRuns({
        limit: SLICE,
        ...which,
        ...this.#ofTenant,
        ...(before ? { before } : {}),
      });
      this.stopHere();
      await Promise.all(page.runs.map((run) => this.#cancel(run)));
      found ||= page.runs.length > 0;
      before = page.next;
      await setImmediate();
    } while (before);
    return found;
  }

  async waiting(): Promise<void> {
    let before: RunPlace | null = null;
    do {
      const page = await this.#options.storage.waitingRuns({
        limit: WAITING_SLICE,
        ...this.#ofTenant,
        ...(before ? { before } : {}),
      });
      this.stopHere();
      for (const runs of commits(page.runs)) {
        const ends = await Promise.allSettled(runs.map((run) => this.#endWaiting(run)));
        // The passes that follow try again, and say what cannot be recorded.
        if (ends.some(({ status }) => status === 'rejected')) return;
        await setImmediate();
      }
      before = page.next;
    } while (before);
  }

  lookAgain(): void {
    for (const key of this.#sessions.values()) this.#options.executor.notice(key);
  }

  async settled(): Promise<number> {
    await Promise.all(this.#here.values());
    if (this.#failed.size === 0) return this.#stopped.size;
    const message = `${this.#stopped.size} runs are stopped; the end of ${this.#failed.size} cannot be recorded yet`;
    throw new ApiError('UNAVAILABLE', message, { retryAfter: 5 });
  }

  /** What does not wait as it did is looked at again by the passes that follow. */
  async #endWaiting(run: WaitingRun): Promise<void> {
    if (!(await this.#options.endWaiting(run))) return;
    this.#stopped.add(nameOf(run));
    const { tenantId, ownerId, sessionId } = run;
    this.#sessions.set(sessionId, { tenantId, ownerId, sessionId });
  }

  async #cancel(run: Pick<UnfinishedRun, keyof SessionKey | 'runId'>): Promise<void> {
    const name = nameOf(run);
    try {
      await this.#options.runs.cancel(run, run.runId);
      this.#stopped.add(name);
      this.#failed.delete(name);
    } catch (error) {
      // It has ended otherwise, or its session is gone.
      if (error instanceof ApiError && error.code === 'RUN_NOT_FOUND') this.#failed.delete(name);
      else this.#failed.add(name);
    }
  }
}

function nameOf({ sessionId, runId }: Pick<UnfinishedRun, 'sessionId' | 'runId'>): string {
  return `${sessionId} ${runId}`;
}

/** Parts of a slice whose ends are not too many for one commit. */
function commits(runs: readonly WaitingRun[]): WaitingRun[][] {
  const parts: WaitingRun[][] = [];
  let part: WaitingRun[] = [];
  let events = 0;
  for (const run of runs) {
    part.push(run);
    events += run.pending.length + 1;
    if (events < EVENTS_AT_ONCE) continue;
    parts.push(part);
    part = [];
    events = 0;
  }
  return part.length > 0 ? [...parts, part] : parts;
}
