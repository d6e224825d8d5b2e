import { ApiError, type CommandResult, isFinished } from '@llmgine/protocol';
import type { Cluster } from '../cluster/types.ts';
import type { RunRow, SessionKey, Storage } from '../storage/types.ts';

/** Those who wait for the end of a run. The log wakes them; what they get is the run's row. */
export class RunResults {
  readonly #storage: Storage;
  readonly #cluster: Cluster;
  readonly #stopping = new AbortController();
  /** To be woken when a session is gone, with one listener for all of them. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(storage: Storage, cluster: Cluster) {
    this.#storage = storage;
    this.#cluster = cluster;
    cluster.onNotice(({ sessionId }) => {
      for (const wake of this.#waiting.get(sessionId) ?? []) wake();
    });
  }

  /** Nothing executes any more: whoever waits for a run that stays queued is told to ask again with `UNAVAILABLE`. */
  stop(): void {
    const message = 'The server is stopping; the run stays queued';
    this.#stopping.abort(new ApiError('UNAVAILABLE', message, { retryAfter: 5 }));
  }

  /** Throws `RUN_NOT_FOUND`, `SESSION_NOT_FOUND`, `UNAVAILABLE` when the server stops before, and the signal's reason. */
  async wait(key: SessionKey, runId: string, signal?: AbortSignal): Promise<CommandResult> {
    const ended = Promise.withResolvers<void>();
    // It may be rejected before anybody waits for it.
    ended.promise.catch(() => {});
    const leave = [
      this.#cluster.subscribe(key.sessionId, (events) => {
        if (events.some((event) => event.eventType === 'run_finished' && event.runId === runId)) {
          ended.resolve();
        }
      }),
      this.#onSessionClosed(key.sessionId, ended.resolve),
    ];
    const signals = [this.#stopping.signal, ...(signal ? [signal] : [])];
    const abort = () => ended.reject(signals.find(({ aborted }) => aborted)?.reason);
    for (const one of signals) one.addEventListener('abort', abort, { once: true });
    try {
      const now = await this.#storage.getRun(key, runId);
      if (!now) throw new ApiError('RUN_NOT_FOUND');
      if (isFinished(now.status)) return resultOf(now);
      for (const one of signals) one.throwIfAborted();
      await ended.promise;
      const then = await this.#storage.getRun(key, runId);
      if (!then) throw new ApiError('SESSION_NOT_FOUND');
      return resultOf(then);
    } finally {
      for (const end of leave) end();
      for (const one of signals) one.removeEventListener('abort', abort);
    }
  }

  #onSessionClosed(sessionId: string, wake: () => void): () => void {
    const waiting = this.#waiting.get(sessionId) ?? new Set();
    this.#waiting.set(sessionId, waiting.add(wake));
    return () => {
      waiting.delete(wake);
      if (waiting.size === 0 && this.#waiting.get(sessionId) === waiting) this.#waiting.delete(sessionId);
    };
  }
}

/** Throws when the run has not ended. */
export function resultOf(run: RunRow): CommandResult {
  if (!isFinished(run.status)) throw new ApiError('INTERNAL_ERROR', 'The run has not ended');
  const { runId, status, result, usage, error } = run;
  return { run_id: runId, status, result, usage, error };
}
