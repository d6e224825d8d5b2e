import { sql } from 'kysely';
import { toRunUse, type UseColumns, useColumns } from '../run-use.ts';
import { settle } from '../settlement.ts';
import type { AppendRefusal, Write } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { RequestWrites } from './request-writes.ts';
import type { RunWrites } from './run-writes.ts';
import type { Spending } from './spending.ts';
import type { AppendState } from './writes.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type RunKey = { session: number; runId: string };
type LeaveArgs = RunKey & UseColumns & { status: 'awaiting_input' | 'queued' };
type RecoverArgs = RunKey & UseColumns & { boot: number; attempt: number };

/** How an unfinished run changes hands: parked, given back, taken over. */
export class RunMoves {
  readonly #boot: number;
  readonly #runs: RunWrites;
  readonly #requests: RequestWrites;
  readonly #spending: Spending;
  readonly #leave: Prepared<LeaveArgs, unknown>;
  readonly #recover: Prepared<RecoverArgs, unknown>;
  readonly #wake: Prepared<RunKey & { boot: number }, unknown>;

  constructor(
    database: Database,
    parts: {
      readonly boot: number;
      readonly runs: RunWrites;
      readonly requests: RequestWrites;
      readonly spending: Spending;
    },
  ) {
    this.#boot = parts.boot;
    this.#runs = parts.runs;
    this.#requests = parts.requests;
    this.#spending = parts.spending;
    const db = database.sql;
    this.#leave = database.prepare((p: LeaveArgs) =>
      db
        .updateTable('runs')
        .set({
          status: p.status,
          boot: null,
          open_seq: null,
          usage: p.usage,
          steps: p.steps,
          elapsed_ms: p.elapsed_ms,
          reserved: p.reserved,
        })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'running'),
    );
    this.#recover = database.prepare((p: RecoverArgs) =>
      db
        .updateTable('runs')
        .set({
          status: 'queued',
          boot: p.boot,
          open_seq: null,
          usage: p.usage,
          steps: p.steps,
          elapsed_ms: p.elapsed_ms,
          reserved: p.reserved,
          recoveries: sql<number>`recoveries + (status = 'running')`,
        })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('attempt', '=', p.attempt)
        .where('status', 'in', ['queued', 'running'])
        .where((eb) => eb.or([eb('boot', 'is', null), eb('boot', '<', p.boot)])),
    );
    this.#wake = database.prepare((p: RunKey & { boot: number }) =>
      db
        .updateTable('runs')
        .set({ status: 'queued', boot: p.boot })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'awaiting_input'),
    );
  }

  park(state: AppendState, write: WriteOf<'park_run'>): AppendRefusal | undefined {
    const { session } = state;
    const run = this.#runs.find(session, write.runId);
    if (run?.status !== 'running') return 'run_not_in_state';
    if (!this.#requests.arePending(session, write.runId)) return 'nothing_pending';
    this.#left(state, run, 'awaiting_input', write);
    return undefined;
  }

  release(state: AppendState, write: WriteOf<'release_run'>): AppendRefusal | undefined {
    const run = this.#runs.find(state.session, write.runId);
    if (run?.status !== 'running') return 'run_not_in_state';
    this.#left(state, run, 'queued', write);
    return undefined;
  }

  #left(
    state: AppendState,
    run: UseColumns,
    status: LeaveArgs['status'],
    write: WriteOf<'park_run' | 'release_run'>,
  ): void {
    const { after, change } = settle(toRunUse(run), write, 'all');
    this.#leave.run({ session: state.session, runId: write.runId, status, ...useColumns(after) });
    this.#spending.add(state, change);
  }

  recover(state: AppendState, write: WriteOf<'recover_run'>): AppendRefusal | undefined {
    const { session } = state;
    const { runId, attempt, openSeq } = write;
    const run = this.#runs.find(session, runId);
    if (!run || (openSeq !== undefined && run.open_seq !== openSeq)) return 'run_not_in_state';
    const { after, change } = settle(toRunUse(run), write, 'all');
    const args = { session, runId, attempt, boot: this.#boot, ...useColumns(after) };
    if (this.#recover.run(args) === 0) return 'run_not_in_state';
    this.#spending.add(state, change);
    return undefined;
  }

  /** Queues the run again if it was parked and has nothing left to wait for. */
  wake(session: number, runId: string): void {
    if (!this.#requests.arePending(session, runId)) this.#wake.run({ session, runId, boot: this.#boot });
  }
}
