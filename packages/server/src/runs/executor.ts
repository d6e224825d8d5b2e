import type { Scope, SessionKey } from '../storage/types.ts';
import { Execution, type ExecutionOptions } from './execution.ts';
import { FairQueue } from './fair-queue.ts';
import type { StopReason } from './stopped.ts';

export interface ExecutorOptions extends ExecutionOptions {
  readonly maxConcurrent: number;
  /** How many runs of one caller execute at once. */
  readonly maxOfCaller: (caller: Scope) => number;
  readonly report: (stage: string, error: unknown) => void;
}

/** After a failed look for the next run of a session, or while this process may execute nothing. */
const LOOK_AGAIN_MS = 250;

/**
 * Executes queued runs in this process: one at a time in a session, at most `maxConcurrent` in all. Callers take turns;
 * sessions of a caller come in the order in which they became ready. The truth is the run rows; what is kept here says
 * where to look.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #ready: FairQueue;
  readonly #active = new Map<string, { key: SessionKey; execution: Execution | null; again: boolean }>();
  readonly #holds = new Set<{ readonly tenantId: string | undefined }>();
  /** What is ready, but held. */
  readonly #held = new Map<string, SessionKey>();
  #stopped = false;
  #allDone: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#ready = new FairQueue(options.maxOfCaller);
  }

  /** The session has a queued run. */
  notice(key: SessionKey): void {
    const active = this.#active.get(key.sessionId);
    if (active) active.again = true;
    else this.#ready.add(key);
    this.#pump();
  }

  /** The execution of this run, when it is here. */
  find(sessionId: string, runId: string): Execution | undefined {
    const execution = this.#active.get(sessionId)?.execution;
    return execution?.run.runId === runId ? execution : undefined;
  }

  /** What executes here, of all tenants or of one. */
  executions(tenantId?: string): Execution[] {
    return [...this.#active.values()].flatMap(({ key, execution }) =>
      execution && (tenantId === undefined || key.tenantId === tenantId) ? [execution] : [],
    );
  }

  /** How many runs execute now. */
  get active(): number {
    return this.#active.size;
  }

  /** This process has lost its claim: whatever executes here may execute elsewhere, too. */
  lost(): void {
    for (const { execution } of this.#active.values()) execution?.stop('lost');
  }

  /** Of this tenant, or of all, nothing more begins here until what is returned is called. */
  hold(tenantId?: string): () => void {
    const hold = { tenantId };
    this.#holds.add(hold);
    return () => {
      this.#holds.delete(hold);
      if (this.#stopped) return;
      const held = [...this.#held.values()];
      this.#held.clear();
      for (const key of held) this.#ready.add(key);
      this.#pump();
    };
  }

  #isHeld(key: SessionKey): boolean {
    for (const { tenantId } of this.#holds) {
      if (tenantId === undefined || tenantId === key.tenantId) return true;
    }
    return false;
  }

  /** Stops what runs in a session that is gone. */
  sessionClosed(sessionId: string): void {
    this.#held.delete(sessionId);
    this.#ready.delete(sessionId);
    this.#active.get(sessionId)?.execution?.stop('session_closed');
  }

  /** Takes no more runs. Those that execute get `graceMs` to finish, then they are stopped. Queued ones stay queued. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#ready.clear();
    if (this.#active.size === 0) return;
    const allDone = new Promise<void>((resolve) => this.#allDone.push(resolve));
    const timer = setTimeout(() => this.#stopAll('shutdown'), graceMs);
    await allDone;
    clearTimeout(timer);
  }

  #stopAll(reason: StopReason): void {
    for (const { execution } of this.#active.values()) {
      execution?.abandon();
      execution?.stop(reason);
    }
  }

  #pump(): void {
    while (!this.#stopped && this.#active.size < this.#options.maxConcurrent) {
      const key = this.#ready.next();
      if (!key) return;
      if (this.#isHeld(key)) {
        this.#held.set(key.sessionId, key);
        this.#ready.done(key);
        continue;
      }
      this.#active.set(key.sessionId, { key, execution: null, again: false });
      void this.#run(key);
    }
  }

  async #run(key: SessionKey): Promise<void> {
    const slot = this.#active.get(key.sessionId);
    if (!slot) return;
    try {
      const run = await this.#options.storage.nextRun(key);
      // When it is not queued, it is being executed elsewhere.
      if (run?.status === 'queued' && this.#isHeld(key)) {
        slot.again = true;
      } else if (run?.status === 'queued' && !this.#stopped) {
        slot.execution = new Execution(run, this.#options);
        // Others may have waited before this process knew of the session.
        if (await slot.execution.done) slot.again = true;
        else this.#lookLater(key);
      }
    } catch (error) {
      this.#options.report('execute run', error);
      this.#lookLater(key);
    }
    this.#active.delete(key.sessionId);
    this.#ready.done(key);
    if (slot.again && !this.#stopped) this.#ready.add(key);
    if (this.#active.size === 0) for (const resolve of this.#allDone.splice(0)) resolve();
    this.#pump();
  }

  #lookLater(key: SessionKey): void {
    setTimeout(() => this.notice(key), LOOK_AGAIN_MS).unref();
  }
}
