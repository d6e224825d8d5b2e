/** RunService: accepts commands, says how they went, and cancels them. */
import { randomUUID } from 'node:crypto';
import {
  ApiError,
  type CommandAccepted,
  type CommandBody,
  type CommandResult,
  formatCursor,
  isFinished,
  type Message,
  type MessagePart,
  type OnConflict,
  type Run,
  type RunStatus,
} from '@llmgine/protocol';
import type { Cluster } from '../cluster/types.ts';
import { promptParts } from '../engines/prompt.ts';
import type { EngineService } from '../engines/service.ts';
import { newEvent, type SessionLog } from '../sessions/log.ts';
import { decodePageCursor, encodePageCursor } from '../sessions/page-cursor.ts';
import { partialMessage } from '../sessions/partial-message.ts';
import { toRun } from '../sessions/run-view.ts';
import type {
  AppendOutcome,
  NewEvent,
  NewRun,
  RunRow,
  SessionKey,
  SessionRow,
  Storage,
  WaitingRun,
  Write,
} from '../storage/types.ts';
import { parseWith, storable } from '../validation.ts';
import { bodyHash } from './body-hash.ts';
import { cancelPending } from './cancel-pending.ts';
import { usedUntilNow } from './cut-off.ts';
import { endWaiting } from './end-waiting.ts';
import type { Executor } from './executor.ts';
import { type Asked, RunResults } from './results.ts';
import { stopAll } from './stop-all.ts';

export interface RunServiceOptions {
  readonly storage: Storage;
  readonly log: SessionLog;
  readonly cluster: Cluster;
  readonly engines: EngineService;
  readonly executor: Executor;
  /** Runs of a session that wait behind the one in its place. */
  readonly maxQueued: number;
  /** A run has ended without having been executed. */
  readonly onCancelled: (at: number) => void;
}

export interface StartedRun {
  readonly accepted: CommandAccepted;
  /** As of its acceptance; of a run that was there before, as of now. */
  readonly status: RunStatus;
  /** Of a parked run: the oldest request that waits for an answer. */
  readonly requestId?: string;
}

/** How often cancelling looks again when the run changes hands meanwhile. */
const CANCEL_ATTEMPTS = 20;
/** How often an interrupt cancels again those that took the place meanwhile; one of them wins each time. */
const INTERRUPT_ATTEMPTS = 100;
/** Seconds a client should wait before it tries again when the queue of a session is full. */
const FULL_RETRY_AFTER = 5;

export class RunService {
  readonly #options: RunServiceOptions;
  readonly #results: RunResults;
  #draining = false;

  constructor(options: RunServiceOptions) {
    this.#options = options;
    this.#results = new RunResults(options.storage, options.cluster);
  }

  /** New commands are refused with `UNAVAILABLE` from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** Nothing executes any more: whoever waits for a run that stays queued is told to ask again with `UNAVAILABLE`. */
  stop(): void {
    this.#results.stop();
  }

  /**
   * Accepts a command; it is durable when this resolves. The same `run_id` with the same body attaches to the run that is
   * there. `onAccepted` is called before any subscriber sees the run's first event; what it throws rejects, but the run
   * goes on. Throws `ENGINE_NOT_LINKED`, `UNKNOWN_COMMAND`, `VALIDATION_ERROR`, `RUN_IN_PROGRESS`, `IDEMPOTENCY_MISMATCH`,
   * `SESSION_NOT_FOUND`, `UNAVAILABLE`, and `RESOURCE_LIMIT_EXCEEDED` when the queue of the session is full.
   */
  async start(
    session: SessionRow,
    body: CommandBody,
    onAccepted?: (accepted: CommandAccepted, how: { readonly attached: boolean }) => void,
  ): Promise<StartedRun> {
    const { engines, executor } = this.#options;
    const hash = bodyHash(body.command, body.parameters);
    const runId = body.run_id ?? randomUUID();
    if (body.run_id !== undefined) {
      const attached = await this.#attach(session, runId, hash);
      if (attached) {
        onAccepted?.(attached.accepted, { attached: true });
        return attached;
      }
    }
    if (this.#draining) throw new ApiError('UNAVAILABLE', 'The server is stopping', { retryAfter: 5 });
    if (!session.engine) throw new ApiError('ENGINE_NOT_LINKED');
    const command = engines.command(session.engine.engineType, body.command);
    const parsed = parseWith(command.parameters, body.parameters, `"${body.command}"`, 'parameters');
    const parameters = storable(command.parameters, body.parameters, parsed);
    const run = {
      runId,
      engineId: session.engine.engineId,
      engineType: session.engine.engineType,
      engineConfig: session.engine.config,
      command: body.command,
      parameters,
      bodyHash: hash,
    };
    let accepted: CommandAccepted | undefined;
    let outcome: AppendOutcome;
    try {
      outcome = await this.#create(session, run, body.on_conflict, (committed) => {
        if (!committed.ok) return;
        accepted = {
          run_id: runId,
          cursor: formatCursor(committed.epoch, committed.firstSeq - 1),
          position: committed.position ?? 0,
        };
        onAccepted?.(accepted, { attached: false });
      });
    } finally {
      if (accepted) executor.notice(session);
    }
    if (!accepted) {
      // Somebody else was first with this id.
      const attached =
        !outcome.ok && outcome.reason === 'run_exists' && (await this.#attach(session, runId, hash));
      if (!attached) throw this.#refusal(outcome, body.on_conflict);
      onAccepted?.(attached.accepted, { attached: true });
      return attached;
    }
    return { accepted, status: 'queued' };
  }

  async #attach(session: SessionRow, runId: string, hash: string): Promise<StartedRun | null> {
    const run = await this.#options.storage.getRun(session, runId);
    if (!run) return null;
    if (run.bodyHash !== hash) {
      throw new ApiError('IDEMPOTENCY_MISMATCH', 'This run_id was used before with another command');
    }
    const accepted = {
      run_id: runId,
      cursor: formatCursor(session.epoch, run.acceptedSeq - 1),
      position: isFinished(run.status)
        ? 0
        : await this.#options.storage.countUnfinishedRuns(session, run.acceptedSeq),
    };
    const asked = run.status === 'awaiting_input' && (await this.#results.asked(session, run));
    return { accepted, status: run.status, ...(asked ? { requestId: asked.request_id } : {}) };
  }

  #refusal(outcome: AppendOutcome, onConflict: OnConflict): ApiError {
    const reason = outcome.ok ? undefined : outcome.reason;
    if (reason === 'run_in_progress' && onConflict === 'reject') return new ApiError('RUN_IN_PROGRESS');
    if (reason === 'run_in_progress' && onConflict === 'interrupt') {
      return new ApiError('UNAVAILABLE', 'Other commands keep taking the place', { retryAfter: 1 });
    }
    if (reason === 'run_in_progress') {
      const message = `At most ${this.#options.maxQueued} runs of a session wait`;
      return new ApiError('RESOURCE_LIMIT_EXCEEDED', message, { retryAfter: FULL_RETRY_AFTER });
    }
    if (reason === 'engine_changed') {
      return new ApiError('ENGINE_NOT_LINKED', 'The engine was changed meanwhile');
    }
    return new ApiError('SESSION_NOT_FOUND');
  }

  /**
   * `interrupt` takes only an empty place: whoever came first after the cancelling is cancelled too, so that of several at
   * once each interrupts those before it, and a process that dies in between leaves no run that was to be interrupted.
   */
  async #create(
    session: SessionRow,
    run: Omit<NewRun, 'createdAt'>,
    onConflict: OnConflict,
    onCommitted: (outcome: AppendOutcome) => void,
  ): Promise<AppendOutcome> {
    const { log, maxQueued } = this.#options;
    for (let attempt = 1; ; attempt++) {
      if (onConflict === 'interrupt') await this.#cancelOthers(session, run.runId);
      const created = { ...run, createdAt: Date.now() };
      const append = runAppend(session, created, onConflict === 'queue' ? maxQueued : 0);
      const outcome = await log.append(append, onCommitted);
      const taken = !outcome.ok && outcome.reason === 'run_in_progress';
      if (!taken || onConflict !== 'interrupt' || attempt === INTERRUPT_ATTEMPTS) return outcome;
    }
  }

  /** Not the run itself, which the same command may have made meanwhile. */
  async #cancelOthers(session: SessionRow, own: string): Promise<void> {
    // Newest first, so that none of those that wait starts in between.
    for (const runId of (await this.#options.storage.unfinishedRunIds(session)).toReversed()) {
      if (runId === own) continue;
      try {
        await this.cancel(session, runId);
      } catch (error) {
        if (!(error instanceof ApiError && error.code === 'RUN_NOT_FOUND')) throw error;
      }
    }
  }

  /**
   * How the run ended; waits for its end. Throws `RUN_NOT_FOUND`, `SESSION_NOT_FOUND`, `UNAVAILABLE` when the server
   * stops before, and the signal's reason.
   */
  result(key: SessionKey, runId: string, signal?: AbortSignal): Promise<CommandResult> {
    return this.#results.wait(key, runId, signal);
  }

  /** The same, or what the run asks people, as soon as it does. */
  resultOrAsked(key: SessionKey, runId: string, signal?: AbortSignal): Promise<CommandResult | Asked> {
    return this.#results.waitOrAsked(key, runId, signal);
  }

  /**
   * Cancels a run, the oldest unfinished one by default. Resolves when its end is committed. Throws `RUN_NOT_FOUND`, also
   * when it has finished otherwise, and `UNAVAILABLE` when its end cannot be committed for some seconds; cancelling
   * twice is the same as once.
   */
  async cancel(key: SessionKey, runId?: string): Promise<{ run_id: string }> {
    const { storage, executor } = this.#options;
    const id = runId ?? (await storage.nextRun(key))?.runId;
    if (id === undefined) throw new ApiError('RUN_NOT_FOUND', 'No run of the session is unfinished');
    for (let attempt = 0; attempt < CANCEL_ATTEMPTS; attempt++) {
      const run = await storage.getRun(key, id);
      if (!run) throw new ApiError('RUN_NOT_FOUND');
      if (run.status === 'cancelled') return { run_id: id };
      if (isFinished(run.status)) throw new ApiError('RUN_NOT_FOUND', 'The run has finished already');
      const execution = executor.find(key.sessionId, id);
      if (execution) {
        await execution.cancel();
      } else {
        await this.#cancelHere(run);
      }
    }
    throw new ApiError('UNAVAILABLE', 'The run cannot be cancelled right now', { retryAfter: 1 });
  }

  /**
   * Ends a run that does not execute in this process. Should it execute in another one, that is fenced from then on; what it
   * was saying is kept as far as it is committed.
   */
  async #cancelHere(run: RunRow): Promise<void> {
    const { storage, log, executor, onCancelled } = this.#options;
    const { events, writes } = await cancelPending(storage, run);
    if (run.openSeq !== null) await this.#keepPartial(run, run.openSeq, events, writes);
    const now = Date.now();
    const { usage, steps } = await usedUntilNow(storage, run);
    const end = { status: 'cancelled' as const, result: null, usage, error: null };
    events.push(newEvent('run_finished', run.runId, end, now));
    // One that awaits input is queued again by the last resolution.
    writes.push({
      kind: 'finish_run',
      runId: run.runId,
      from: [run.status, 'queued'],
      ...end,
      steps,
      at: now,
      fromSteps: run.steps,
      fromOpenSeq: run.openSeq,
      fromCalls: run.reserved?.steps ?? 0,
    });
    const { ok } = await log.append({ session: run, touchedAt: now, events, writes });
    if (!ok) return;
    onCancelled(now);
    // It may have had the session's place.
    executor.notice(run);
  }

  async #keepPartial(run: RunRow, openSeq: number, events: NewEvent[], writes: Write[]): Promise<void> {
    const types = ['message_started', 'text_delta', 'reasoning_delta'];
    const said = await this.#options.storage.runEvents(run, run.runId, types);
    const message = partialMessage(said.filter(({ seq }) => seq >= openSeq));
    if (!message) return;
    writes.push({ kind: 'insert_message', eventIndex: events.length, streamed: true });
    events.push(newEvent('message_completed', run.runId, message));
  }

  /** Cancels every unfinished run, or those of a tenant, and resolves with their number; see `stopAll`. */
  stopAll(tenantId?: string): Promise<number> {
    const { storage, executor } = this.#options;
    const options = { storage, executor, runs: this, endWaiting: (run: WaitingRun) => this.#endWaiting(run) };
    return stopAll(options, tenantId);
  }

  async #endWaiting(run: WaitingRun): Promise<boolean> {
    const now = Date.now();
    const ended = await endWaiting(this.#options.log, run, now);
    if (ended) this.#options.onCancelled(now);
    return ended;
  }

  /** Throws `RUN_NOT_FOUND`. */
  async get(session: SessionRow, runId: string): Promise<Run> {
    const run = await this.#options.storage.getRun(session, runId);
    if (!run) throw new ApiError('RUN_NOT_FOUND');
    return toRun(run, session.epoch);
  }

  /** Newest first. */
  async list(
    session: SessionRow,
    query: {
      readonly limit: number;
      readonly cursor?: string | undefined;
      readonly status?: RunStatus | undefined;
    },
  ): Promise<{ runs: Run[]; next: string | null }> {
    const before = decodePageCursor('runs', query.cursor);
    const page = await this.#options.storage.listRuns(session, {
      limit: query.limit,
      ...(before === undefined ? {} : { before }),
      ...(query.status === undefined ? {} : { status: query.status }),
    });
    return {
      runs: page.runs.map((run) => toRun(run, session.epoch)),
      next: page.next === null ? null : encodePageCursor('runs', page.next),
    };
  }
}

/** The run, its first event and what the person said, in one transaction. */
function runAppend(session: SessionRow, run: NewRun, maxAhead: number) {
  const events: NewEvent[] = [newEvent('run_queued', run.runId, { command: run.command }, run.createdAt)];
  const writes: Write[] = [{ kind: 'create_run', run, maxAhead }];
  const parts = run.command === 'prompt' ? promptParts(run.parameters) : null;
  if (parts) {
    const message = userMessage(run, parts);
    writes.push({ kind: 'insert_message', eventIndex: events.length });
    events.push(newEvent('message_completed', run.runId, message, run.createdAt));
  }
  return { session, events, writes, touchedAt: run.createdAt };
}

function userMessage(run: NewRun, parts: MessagePart[]): Message {
  return {
    message_id: `msg_${randomUUID()}`,
    role: 'user',
    run_id: run.runId,
    parts,
    created_at: new Date(run.createdAt).toISOString(),
    metadata: {},
  };
}
