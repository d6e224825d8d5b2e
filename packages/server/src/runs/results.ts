import { ApiError, type CommandResult, isFinished } from '@llmgine/protocol';
import type { Cluster } from '../cluster/types.ts';
import type { RunRow, SessionKey, Storage } from '../storage/types.ts';

/** What a run waits for. */
export interface Asked {
  readonly run_id: string;
  readonly status: 'awaiting_input';
  readonly request_id: string;
}

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
  wait(key: SessionKey, runId: string, signal?: AbortSignal): Promise<CommandResult> {
    return this.#until(key, runId, ['run_finished'], endOf, signal);
  }

  /** The same, or what the run asks people, as soon as it does. */
  waitOrAsked(key: SessionKey, runId: string, signal?: AbortSignal): Promise<CommandResult | Asked> {
    const look = async (run: RunRow) => endOf(run) ?? this.asked(key, run);
    return this.#until(key, runId, ['run_finished', 'input_requested'], look, signal);
  }

  /** The oldest request of a run that waits. */
  async asked(key: SessionKey, { runId, attempt }: Pick<RunRow, 'runId' | 'attempt'>): Promise<Asked | null> {
    // A run that was never started has asked nothing.
    if (attempt === 0) return null;
    const requests = await this.#storage.requestsOfRun(key, runId);
    const pending = requests.find(({ resolution }) => resolution === null);
    return pending ? { run_id: runId, status: 'awaiting_input', request_id: pending.requestId } : null;
  }

  /** What `look` finds in the run: now, or after one of the events. */
  async #until<Found>(
    key: SessionKey,
    runId: string,
    eventTypes: readonly string[],
    look: (run: RunRow) => Found | null | Promise<Found | null>,
    signal?: AbortSignal,
  ): Promise<Found> {
    let wake = Promise.withResolvers<void>();
    const leave = [
      this.#cluster.subscribe(key.sessionId, (events) => {
        const isHere = events.some((event) => event.runId === runId && eventTypes.includes(event.eventType));
        // None: there may be some that nobody was told of.
        if (isHere || events.length === 0) {
          wake.resolve();
        }
      }),
      this.#onSessionClosed(key.sessionId, () => wake.resolve()),
    ];
    const signals = [this.#stopping.signal, ...(signal ? [signal] : [])];
    const abort = () => wake.resolve();
    for (const one of signals) one.addEventListener('abort', abort, { once: true });
    try {
      for (let first = true; ; first = false) {
        // Before looking: what happens from here on wakes.
        wake = Promise.withResolvers<void>();
        const run = await this.#storage.getRun(key, runId);
        if (!run) throw new ApiError(first ? 'RUN_NOT_FOUND' : 'SESSION_NOT_FOUND');
        const found = await look(run);
        if (found) return found;
        for (const one of signals) one.throwIfAborted();
        await wake.promise;
        for (const one of signals) one.throwIfAborted();
      }
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

function endOf(run: RunRow): CommandResult | null {
  return isFinished(run.status) ? resultOf(run) : null;
}

/** Throws when the run has not ended. */
export function resultOf(run: RunRow): CommandResult {
  if (!isFinished(run.status)) throw new ApiError('INTERNAL_ERROR', 'The run has not ended');
  const { runId, status, result, usage, error } = run;
  return { run_id: runId, status, result, usage, error };
}
