import { setTimeout as sleep } from 'node:timers/promises';
import {
  ApiError,
  type ErrorObject,
  type Json,
  type JsonObject,
  type RunOutcome,
  type Usage,
} from '@llmgine/protocol';
import type { EngineService } from '../engines/service.ts';
import type { EngineContext, EngineLogger } from '../engines/types.ts';
import { newEvent, type SessionLog } from '../sessions/log.ts';
import type { AppendOutcome, RunRow, Storage } from '../storage/types.ts';
import { parseWith } from '../validation.ts';
import { type RunEnd, RunWriter } from './run-writer.ts';

/** Why a run is ended from outside. */
export type StopReason = 'cancelled' | 'timeout' | 'shutdown' | 'session_closed' | 'broken';

export interface ExecutionOptions {
  readonly log: SessionLog;
  readonly storage: Storage;
  readonly engines: EngineService;
  readonly timeoutMs: number;
  readonly logger: EngineLogger & { child(fields: object): EngineLogger };
  readonly checkEvent: (eventType: string, payload: unknown) => void;
  /** What may be told of an error that nobody expected; undefined for nothing. */
  readonly details: (error: unknown) => string | undefined;
  /** The end of a run is committed. */
  readonly onEnded: (ended: EndedRun) => void;
}

export interface EndedRun {
  readonly status: RunOutcome;
  readonly usage: Usage | null;
  readonly seconds: number;
  readonly at: number;
}

/** How long whoever cancels waits for the end to be committed. */
const CANCEL_WAIT_MS = 5000;
/** While the storage is failing. */
const RETRY_MS = [100, 500, 2000, 5000, 10_000, 30_000];

class Stopped extends Error {
  readonly reason: StopReason;
  constructor(reason: StopReason) {
    super(`run stopped: ${reason}`);
    this.name = 'AbortError';
    this.reason = reason;
  }
}

/**
 * One run from `run_started` to `run_finished`. It ends as soon as it is stopped, whether or not its engine listens to
 * the signal: what the engine emits after that goes nowhere.
 */
export class Execution {
  readonly run: RunRow;
  /** Resolves when the run has ended and its end is committed (or there is nothing to commit it to). */
  readonly done: Promise<void>;
  readonly #options: ExecutionOptions;
  readonly #logger: EngineLogger;
  readonly #controller = new AbortController();
  readonly #writer: RunWriter;
  readonly #abandoned = new AbortController();
  #cause: unknown;

  constructor(run: RunRow, options: ExecutionOptions) {
    this.run = run;
    this.#options = options;
    this.#logger = options.logger.child({ session_id: run.sessionId, run_id: run.runId });
    this.#writer = new RunWriter({
      run,
      log: options.log,
      checkEvent: options.checkEvent,
      onBroken: (reason) => this.#broken(reason),
    });
    this.done = this.#execute();
  }

  stop(reason: StopReason): void {
    if (!this.#controller.signal.aborted) this.#controller.abort(new Stopped(reason));
  }

  /**
   * Stops the run and resolves like `done`. Rejects with `UNAVAILABLE` when its end cannot be committed for 5 seconds;
   * the run is stopped all the same, and its end is recorded as soon as that works.
   */
  async cancel(): Promise<void> {
    this.stop('cancelled');
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const message = 'The run is stopped, but its end cannot be recorded yet';
      late.reject(new ApiError('UNAVAILABLE', message, { retryAfter: 5 }));
    }, CANCEL_WAIT_MS);
    try {
      await Promise.race([this.done, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The process ends: do not wait for the storage to recover. */
  abandon(): void {
    this.#abandoned.abort();
  }

  #broken(reason: AppendOutcome | Error): void {
    this.#cause ??= reason;
    this.stop('broken');
  }

  async #execute(): Promise<void> {
    const { run } = this;
    try {
      if (!(await this.#start())) return;
      this.#logger.info({ engine: run.engineType, command: run.command }, 'run started');
      const began = performance.now();
      const end = await this.#engineEnd();
      if (end) await this.#finish(end);
      const seconds = Math.round(performance.now() - began) / 1000;
      this.#logger.info(
        { status: end?.status ?? 'dropped', code: end?.error?.code, seconds },
        'run finished',
      );
      if (end) {
        const { usage } = this.#writer;
        this.#options.onEnded({ status: end.status, usage, seconds, at: Date.now() });
      }
    } catch (error) {
      this.#logger.error({ err: error }, 'run could not be recorded');
    }
  }

  /** False when the run is not queued any more. */
  async #start(): Promise<boolean> {
    const { run } = this;
    const now = Date.now();
    const { ok } = await this.#record('start', () =>
      this.#options.log.append({
        session: run,
        events: [
          newEvent('run_started', run.runId, { engine_id: run.engineId, engine_type: run.engineType }, now),
        ],
        // An engine that could not be loaded once may be there again; loading it decides.
        writes: [
          { kind: 'start_run', runId: run.runId, at: now },
          { kind: 'set_engine_status', engineId: run.engineId, status: 'running' },
        ],
      }),
    );
    return ok;
  }

  /** How the run ended, or null when there is nobody left to tell. */
  async #engineEnd(): Promise<RunEnd | null> {
    const { signal } = this.#controller;
    const timer = setTimeout(() => this.stop('timeout'), this.#options.timeoutMs);
    let aborted: (() => void) | undefined;
    try {
      const stopped = new Promise<never>((_, reject) => {
        aborted = () => reject(signal.reason);
        if (signal.aborted) aborted();
        else signal.addEventListener('abort', aborted, { once: true });
      });
      const work = this.#work();
      // When the race is lost, a late failure of the engine is no news.
      work.catch(() => {});
      const result = await Promise.race([work, stopped]);
      this.#writer.close();
      await this.#writer.drain();
      signal.throwIfAborted();
      return { status: 'completed', result, error: null };
    } catch (error) {
      const end = this.#endOf(signal.aborted ? signal.reason : error);
      // Ends what the engine may still be doing, so that nothing of it stays behind. One that has returned is not
      // disturbed: its listeners would take an orderly end for a cancellation.
      this.stop('broken');
      return end;
    } finally {
      clearTimeout(timer);
      if (aborted) signal.removeEventListener('abort', aborted);
    }
  }

  async #work(): Promise<Json> {
    const { run } = this;
    const engine = await this.#load();
    this.#controller.signal.throwIfAborted();
    const { parameters } = this.#options.engines.command(run.engineType, run.command);
    const context: EngineContext = {
      sessionId: run.sessionId,
      runId: run.runId,
      command: run.command,
      // What is kept of them becomes again what their schema makes of it.
      parameters: parseWith(parameters, run.parameters, `"${run.command}"`, 'parameters') as JsonObject,
      principal: { id: run.ownerId, tenantId: run.tenantId },
      signal: this.#controller.signal,
      logger: this.#logger,
      history: async () => {
        await this.#writer.drain();
        return this.#options.storage.conversation(run, run.acceptedSeq);
      },
      emit: (event) => this.#writer.emit(event),
      drain: () => this.#writer.drain(),
    };
    const result: unknown = await engine.run(context);
    // What cannot be written as JSON fails here, and not in the log.
    return JSON.parse(JSON.stringify(result ?? null) ?? 'null') as Json;
  }

  async #load() {
    const { run } = this;
    const { engines, log } = this.#options;
    try {
      return await engines.load(run.engineType, run.engineConfig);
    } catch (error) {
      await log.append({
        session: run,
        events: [],
        writes: [{ kind: 'set_engine_status', engineId: run.engineId, status: 'failed' }],
      });
      throw error;
    }
  }

  #endOf(error: unknown): RunEnd | null {
    if (!(error instanceof Stopped)) return this.#failed(error);
    switch (error.reason) {
      case 'cancelled':
        return { status: 'cancelled', result: null, error: null };
      case 'timeout':
        return failed('RUN_TIMEOUT', `The run took longer than ${this.#options.timeoutMs / 1000} seconds`);
      case 'shutdown':
        return failed('RUN_INTERRUPTED');
      case 'session_closed':
        return null;
      case 'broken':
        return this.#failed(this.#cause);
    }
  }

  #failed(error: unknown): RunEnd | null {
    if (typeof error === 'object' && error !== null && 'ok' in error) {
      this.#logger.warn({ outcome: error }, 'the log refused the run');
      return null;
    }
    if (error instanceof ApiError) {
      // Expected failures say what they are; a stack is for what led to them unexpectedly.
      const unexpected = error.cause !== undefined && !(error.cause instanceof ApiError);
      const { code, message: detail } = error;
      this.#logger.warn({ code, detail, ...(unexpected ? { err: error.cause } : {}) }, 'run failed');
      return failed(code, detail);
    }
    this.#logger.error({ err: error }, 'run failed');
    return failed('INTERNAL_ERROR', this.#options.details(error));
  }

  async #finish(end: RunEnd): Promise<void> {
    const outcome = await this.#record('end', () => this.#writer.finish(end));
    if (!outcome.ok) this.#logger.warn({ reason: outcome.reason }, 'the end of the run was refused');
  }

  /** A run always gets on and ends: while the storage is failing it is tried again, and the run keeps its place. */
  async #record(what: string, append: () => Promise<AppendOutcome>): Promise<AppendOutcome> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await append();
      } catch (error) {
        if (attempt > 0 && this.#abandoned.signal.aborted) throw error;
        const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] as number;
        this.#logger.error({ err: error, retry_ms: wait }, `the ${what} of the run cannot be written yet`);
        // Woken by `abandon`, for one last attempt.
        await sleep(wait, undefined, { signal: this.#abandoned.signal }).catch(() => {});
      }
    }
  }
}

function failed(code: ErrorObject['code'] & ApiError['code'], message?: string): RunEnd {
  return { status: 'failed', result: null, error: { code, message: message ?? new ApiError(code).message } };
}
