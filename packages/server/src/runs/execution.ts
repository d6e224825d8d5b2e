import {
  ApiError,
  type ErrorObject,
  type Json,
  type JsonObject,
  type RunOutcome,
  type Usage,
} from '@llmgine/protocol';
import { isShallow } from '../engines/json-depth.ts';
import type { EngineService } from '../engines/service.ts';
import type { EngineLogger, InputAnswer, InputQuestion, PlannedCall } from '../engines/types.ts';
import type { Prices } from '../models/pricing.ts';
import { newEvent, type SessionLog } from '../sessions/log.ts';
import type { AppendOutcome, Budgets, NewEvent, RunRow, Storage } from '../storage/types.ts';
import { parseWith } from '../validation.ts';
import { budgetsOf } from './budgets.ts';
import { cancelPending } from './cancel-pending.ts';
import { Persistence } from './persistence.ts';
import { RunBudget } from './run-budget.ts';
import { createRunContext } from './run-context.ts';
import { RunRequests } from './run-requests.ts';
import { type RunEnd, RunWriter } from './run-writer.ts';
import { Parked, Stopped, type StopReason } from './stopped.ts';

export interface ExecutionOptions {
  readonly log: SessionLog;
  readonly storage: Storage;
  readonly engines: EngineService;
  readonly timeoutMs: number;
  readonly budgets: Budgets;
  readonly prices: Prices;
  /** Milliseconds until a request to people expires that says nothing else. */
  readonly requestTimeoutMs: number;
  /** Something expires at that time. */
  readonly onAsked: (expiresAt: number) => void;
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
/** What ends an execution: the run ends too, or it is left to whoever continues it, or there is nobody to tell. */
type Ending = RunEnd | 'parked' | 'released' | null;

/** How often ending a run looks again at what it had asked, when somebody answers at the same moment. */
const END_ATTEMPTS = 20;

/**
 * One execution of a run: from `run_started`, or from where the one before has stopped, to `run_finished`, or until it
 * waits for people. It ends as soon as it is stopped, whether or not its engine listens to
 * the signal: what the engine emits after that goes nowhere.
 */
export class Execution {
  readonly run: RunRow;
  /**
   * Resolves when this execution is over, and what it came to is committed (or there is nothing to commit it to). False when
   * it never began, because this process may not execute anything now.
   */
  readonly done: Promise<boolean>;
  readonly #options: ExecutionOptions;
  readonly #logger: EngineLogger;
  readonly #controller = new AbortController();
  readonly #writer: RunWriter;
  readonly #requests: RunRequests;
  readonly #budget: RunBudget;
  readonly #attempt: number;
  readonly #parked = Promise.withResolvers<'parked'>();
  #began = performance.now();
  readonly #persistence: Persistence;
  #cause: unknown;

  constructor(run: RunRow, options: ExecutionOptions) {
    this.run = run;
    this.#options = options;
    this.#logger = options.logger.child({ session_id: run.sessionId, run_id: run.runId });
    this.#persistence = new Persistence(this.#logger);
    this.#attempt = run.attempt + 1;
    this.#writer = new RunWriter({
      run,
      attempt: this.#attempt,
      elapsedMs: () => this.#elapsedMs(),
      log: options.log,
      checkEvent: options.checkEvent,
      onBroken: (reason) => this.#broken(reason),
      onOverrun: (allowed) => {
        const message = `The model said far more than the ${allowed} tokens that its budget allowed`;
        this.#overBudget(new ApiError('BUDGET_EXCEEDED', message));
      },
    });
    const budgets = budgetsOf(options.budgets, run);
    this.#budget = new RunBudget({
      budgets,
      prices: options.prices,
      reserve: (call) => this.#writer.reserve(budgets, call),
      onExceeded: (error) => this.#overBudget(error),
    });
    this.#requests = new RunRequests({
      run,
      attempt: this.#attempt,
      storage: options.storage,
      writer: this.#writer,
      timeoutMs: options.requestTimeoutMs,
      onAsked: options.onAsked,
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
    this.#persistence.abandon();
  }

  #broken(reason: AppendOutcome | Error): void {
    this.#cause ??= reason;
    this.stop('broken');
  }

  #overBudget(error: Error): void {
    this.#cause ??= error;
    this.stop('budget');
  }

  async #execute(): Promise<boolean> {
    const { run } = this;
    try {
      const start = await this.#start();
      if (start !== 'started') return start !== 'fenced';
      this.#began = performance.now();
      const attempt = this.#attempt;
      const what = { engine: run.engineType, command: run.command };
      if (attempt === 1) this.#logger.info(what, 'run started');
      else this.#logger.info({ ...what, attempt }, 'run continued');
      await this.#conclude(await this.#ending());
    } catch (error) {
      this.#logger.error({ err: error }, 'run could not be recorded');
    }
    return true;
  }

  /** `gone`: the run is not queued any more. */
  async #start(): Promise<'started' | 'gone' | 'fenced'> {
    const { run } = this;
    const now = Date.now();
    const outcome = await this.#persistence.record('start', () =>
      this.#options.log.append({
        session: run,
        events: this.#opening(now),
        // An engine that could not be loaded once may be there again; loading it decides.
        writes: [
          { kind: 'start_run', runId: run.runId, attempt: this.#attempt, at: now },
          { kind: 'set_engine_status', engineId: run.engineId, status: 'running' },
        ],
      }),
    );
    if (outcome.ok) return 'started';
    if (outcome.reason !== 'run_not_in_state') return outcome.reason === 'fenced' ? 'fenced' : 'gone';
    // It may have been committed by an attempt that failed all the same; nobody else begins this one.
    const row = this.#persistence.hasRetried ? await this.#options.storage.getRun(run, run.runId) : null;
    return row?.status === 'running' && row.attempt === this.#attempt ? 'started' : 'gone';
  }

  #opening(now: number): NewEvent[] {
    const { runId, engineId, engineType, recoveries } = this.run;
    if (this.#attempt === 1) {
      return [newEvent('run_started', runId, { engine_id: engineId, engine_type: engineType }, now)];
    }
    return recoveries > 0
      ? [newEvent('status', runId, { text: 'Continuing after an interruption' }, now)]
      : [];
  }

  /** Milliseconds that the run has executed; what it waited for people or for its turn does not count. */
  #elapsedMs(): number {
    return Math.round(this.run.elapsedMs + performance.now() - this.#began);
  }

  async #conclude(ending: Ending): Promise<void> {
    const seconds = Math.round(performance.now() - this.#began) / 1000;
    if (ending === 'parked') {
      this.#logger.info({ seconds }, 'run parked');
    } else if (ending === 'released') {
      await this.#persistence.record('pause', () => this.#writer.pause('release_run'));
      this.#logger.info({ seconds }, 'run left to be continued');
    } else {
      if (ending) await this.#finish(ending);
      const { status, error } = ending ?? { status: 'dropped', error: null };
      this.#logger.info({ status, code: error?.code, seconds }, 'run finished');
      if (!ending) return;
      const { usage } = this.#writer;
      this.#options.onEnded({
        status: ending.status,
        usage,
        seconds: this.#elapsedMs() / 1000,
        at: Date.now(),
      });
    }
  }

  async #ending(): Promise<Ending> {
    const { signal } = this.#controller;
    const left = Math.max(this.#options.timeoutMs - this.run.elapsedMs, 0);
    const timer = setTimeout(() => this.stop('timeout'), left);
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
      const result = await Promise.race([work.then((value) => ({ value })), this.#parked.promise, stopped]);
      if (result === 'parked') {
        // Ends what the engine may still be doing.
        this.stop('broken');
        return 'parked';
      }
      this.#writer.close();
      await this.#writer.drain();
      signal.throwIfAborted();
      return { status: 'completed', result: result.value, error: null };
    } catch (error) {
      const end = this.#endOf(signal.aborted ? signal.reason : error);
      // Ends what the engine may still be doing, so that nothing of it stays behind. One that has returned is not
      // disturbed: its listeners would take an orderly end for a cancellation.
      this.stop('broken');
      return end;
    } finally {
      clearTimeout(timer);
      this.#budget.stop();
      if (aborted) signal.removeEventListener('abort', aborted);
    }
  }

  async #work(): Promise<Json> {
    const { run } = this;
    const engine = await this.#load();
    this.#controller.signal.throwIfAborted();
    const { parameters } = this.#options.engines.command(run.engineType, run.command);
    const context = createRunContext({
      run,
      attempt: this.#attempt,
      // What is kept of them becomes again what their schema makes of it.
      parameters: parseWith(parameters, run.parameters, `"${run.command}"`, 'parameters') as JsonObject,
      signal: this.#controller.signal,
      logger: this.#logger,
      storage: this.#options.storage,
      writer: this.#writer,
      request: (question) => this.#request(question),
      park: () => this.#park(),
      reserve: (call) => this.#reserve(call),
    });
    const result: unknown = await engine.run(context);
    // What cannot be written as JSON fails here, and not in the log.
    const written = JSON.parse(JSON.stringify(result ?? null) ?? 'null') as Json;
    if (!isShallow(written)) throw new TypeError('The result of the run is nested too deeply');
    return written;
  }

  async #request(question: InputQuestion): Promise<InputAnswer | null> {
    const { engineType } = this.run;
    if (!this.#options.engines.isResumable(engineType)) {
      throw new TypeError(
        `${engineType} has to be resumable to ask people: the answer may come after a restart`,
      );
    }
    return this.#requests.request(question);
  }

  async #reserve(call: PlannedCall): Promise<number | undefined> {
    const allowed = await this.#budget.reserve(call);
    this.#controller.signal.throwIfAborted();
    return allowed;
  }

  async #park(): Promise<void> {
    this.#controller.signal.throwIfAborted();
    await this.#writer.drain();
    const outcome = await this.#persistence.record('pause', () => this.#writer.pause('park_run'));
    if (outcome.ok) {
      this.#parked.resolve('parked');
      throw new Parked();
    }
    if (outcome.reason === 'nothing_pending') return;
    this.#broken(outcome);
    this.#controller.signal.throwIfAborted();
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

  #endOf(error: unknown): Ending {
    if (!(error instanceof Stopped)) return this.#failed(error);
    switch (error.reason) {
      case 'cancelled':
        return { status: 'cancelled', result: null, error: null };
      case 'timeout':
        return failed('RUN_TIMEOUT', `The run took longer than ${this.#options.timeoutMs / 1000} seconds`);
      case 'shutdown':
        return this.#options.engines.isResumable(this.run.engineType)
          ? 'released'
          : failed('RUN_INTERRUPTED');
      case 'session_closed':
      case 'lost':
        return null;
      case 'broken':
      case 'budget':
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
    let outcome: AppendOutcome;
    let attempts = 0;
    do {
      outcome = await this.#persistence.record('end', async () =>
        this.#writer.finish(end, await this.#unanswered()),
      );
      // Somebody answered, or something expired, in between.
    } while (!outcome.ok && /^request_/.test(outcome.reason) && ++attempts < END_ATTEMPTS);
    if (!outcome.ok) this.#logger.warn({ reason: outcome.reason }, 'the end of the run was refused');
  }

  #unanswered() {
    return this.#requests.any ? cancelPending(this.#options.storage, this.run) : undefined;
  }
}

function failed(code: ErrorObject['code'] & ApiError['code'], message?: string): RunEnd {
  return { status: 'failed', result: null, error: { code, message: message ?? new ApiError(code).message } };
}
