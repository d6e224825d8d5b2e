import { isFinished, type RunStatus } from '@llmgine/protocol';
import { type Selectable, sql } from 'kysely';
import { callsOf, toRunUse, type UseColumns, useColumns } from '../run-use.ts';
import { settle } from '../settlement.ts';
import type { RunsTable } from '../tables.ts';
import type { AppendRefusal, NewRun, Write } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { RequestWrites } from './request-writes.ts';
import { OLDEST_KEPT } from './retention.ts';
import type { Spending } from './spending.ts';
import type { AppendState } from './writes.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type RunKey = { session: number; runId: string };
type FoundRun = Pick<Selectable<RunsTable>, 'status' | 'accepted_seq' | 'open_seq'> & UseColumns;
type NewArgs = {
  session: number;
  acceptedSeq: number;
  boot: number;
  engineConfig: string;
  parameters: string;
} & Omit<NewRun, 'engineConfig' | 'parameters'>;
type StartArgs = RunKey & { boot: number; attempt: number; before: number; at: number };
type CheckpointArgs = RunKey & UseColumns;
type FinishArgs = RunKey &
  UseColumns & {
    status: RunStatus;
    result: string;
    error: string | null;
    at: number;
  };

/** The life of a run: queued, running, ended. `RunMoves` has its ways back. */
export class RunWrites {
  readonly #boot: number;
  readonly #requests: RequestWrites;
  readonly #spending: Spending;
  readonly #find: Prepared<RunKey, FoundRun>;
  readonly #insert: Prepared<NewArgs, unknown>;
  readonly #start: Prepared<StartArgs, unknown>;
  readonly #checkpoint: Prepared<CheckpointArgs, unknown>;
  readonly #finish: Prepared<FinishArgs, unknown>;
  readonly #setOpen: Prepared<RunKey & { openSeq: number | null }, unknown>;
  readonly #setUnfinished: Prepared<{ session: number; unfinishedRuns: number }, unknown>;
  readonly #oneEnded: Prepared<{ session: number; unfinishedRuns: number }, unknown>;

  constructor(
    database: Database,
    parts: { readonly boot: number; readonly requests: RequestWrites; readonly spending: Spending },
  ) {
    this.#boot = parts.boot;
    this.#requests = parts.requests;
    this.#spending = parts.spending;
    const db = database.sql;
    this.#find = database.prepare((p: RunKey) =>
      db
        .selectFrom('runs')
        .select(['status', 'accepted_seq', 'open_seq', 'usage', 'steps', 'elapsed_ms', 'reserved'])
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId),
    );
    this.#insert = database.prepare((p: NewArgs) =>
      db.insertInto('runs').values({
        session: p.session,
        run_id: p.runId,
        accepted_seq: p.acceptedSeq,
        status: 'queued',
        boot: p.boot,
        created_at: p.createdAt,
        engine_id: p.engineId,
        engine_type: p.engineType,
        command: p.command,
        body_hash: p.bodyHash,
        engine_config: p.engineConfig,
        parameters: p.parameters,
        result: 'null',
      }),
    );
    this.#start = database.prepare((p: StartArgs) =>
      db
        .updateTable('runs')
        .set((eb) => ({
          status: 'running',
          boot: p.boot,
          attempt: p.attempt,
          started_at: eb.fn.coalesce('started_at', sql<number>`${p.at}`),
        }))
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'queued')
        .where('attempt', '=', p.before),
    );
    this.#checkpoint = database.prepare((p: CheckpointArgs) =>
      db
        .updateTable('runs')
        .set({
          usage: p.usage,
          steps: p.steps,
          elapsed_ms: p.elapsed_ms,
          reserved: p.reserved,
          recoveries: 0,
        })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId),
    );
    this.#finish = database.prepare((p: FinishArgs) =>
      db
        .updateTable('runs')
        .set({
          status: p.status,
          result: p.result,
          usage: p.usage,
          steps: p.steps,
          elapsed_ms: p.elapsed_ms,
          reserved: p.reserved,
          error: p.error,
          finished_at: p.at,
          open_seq: null,
        })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId),
    );
    this.#setOpen = database.prepare((p: RunKey & { openSeq: number | null }) =>
      db
        .updateTable('runs')
        .set({ open_seq: p.openSeq })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('finished_at', 'is', null),
    );
    this.#setUnfinished = database.prepare((p: { session: number; unfinishedRuns: number }) =>
      db.updateTable('sessions').set({ unfinished_runs: p.unfinishedRuns }).where('position', '=', p.session),
    );
    // What the run kept from being pruned may be pruned now.
    this.#oneEnded = database.prepare((p: { session: number; unfinishedRuns: number }) =>
      db
        .updateTable('sessions')
        .set((eb) => ({
          unfinished_runs: p.unfinishedRuns,
          kept_since: eb.fn.coalesce('kept_since', OLDEST_KEPT),
        }))
        .where('position', '=', p.session),
    );
  }

  find(session: number, runId: string): FoundRun | undefined {
    return this.#find.get({ session, runId });
  }

  create(state: AppendState, { run, maxAhead }: WriteOf<'create_run'>): AppendRefusal | undefined {
    const { session, firstSeq } = state;
    if (this.#find.get({ session, runId: run.runId })) return 'run_exists';
    if (state.engineId !== run.engineId) return 'engine_changed';
    if (state.unfinishedRuns > maxAhead) return 'run_in_progress';
    const engineConfig = JSON.stringify(run.engineConfig);
    const parameters = JSON.stringify(run.parameters);
    this.#insert.run({ ...run, session, acceptedSeq: firstSeq, boot: this.#boot, engineConfig, parameters });
    state.position = state.unfinishedRuns;
    this.#setUnfinished.run({ session, unfinishedRuns: ++state.unfinishedRuns });
    return undefined;
  }

  start({ session }: AppendState, { runId, attempt, at }: WriteOf<'start_run'>): AppendRefusal | undefined {
    const args = { session, runId, attempt, before: attempt - 1, at, boot: this.#boot };
    return this.#start.run(args) === 0 ? 'run_not_in_state' : undefined;
  }

  checkpoint(state: AppendState, write: WriteOf<'checkpoint'>): undefined {
    const { session } = state;
    const { runId } = write;
    const run = this.#find.get({ session, runId });
    if (!run || isFinished(run.status)) return;
    const { after, change } = settle(toRunUse(run), write, 'call');
    this.#checkpoint.run({ session, runId, ...useColumns(after) });
    this.#spending.add(state, change);
  }

  reserve(state: AppendState, write: WriteOf<'reserve_budget'>): AppendRefusal | undefined {
    const run = this.#find.get({ session: state.session, runId: write.runId });
    if (run?.status !== 'running') return 'run_not_in_state';
    return this.#spending.reserve(state, toRunUse(run), write);
  }

  finish(state: AppendState, write: WriteOf<'finish_run'>): AppendRefusal | undefined {
    const { session } = state;
    const { runId, from, status, result, error, at, fromSteps, fromOpenSeq, fromCalls } = write;
    const run = this.#find.get({ session, runId });
    // A run ends once, whatever `from` says.
    if (!run || isFinished(run.status) || !from.includes(run.status)) return 'run_not_in_state';
    if (fromSteps !== undefined && run.steps !== fromSteps) return 'run_not_in_state';
    if (fromOpenSeq !== undefined && run.open_seq !== fromOpenSeq) return 'run_not_in_state';
    if (fromCalls !== undefined && callsOf(run) !== fromCalls) return 'run_not_in_state';
    if (this.#requests.arePending(session, runId)) return 'request_pending';
    const { after, change } = settle(toRunUse(run), write, 'all');
    this.#finish.run({
      session,
      runId,
      status,
      at,
      result: JSON.stringify(result),
      ...useColumns(after),
      error: error && JSON.stringify(error),
    });
    this.#spending.add(state, change);
    this.#oneEnded.run({ session, unfinishedRuns: --state.unfinishedRuns });
    return undefined;
  }

  open({ session, firstSeq }: AppendState, { runId, eventIndex }: WriteOf<'open_message'>): undefined {
    this.#setOpen.run({ session, runId, openSeq: eventIndex === null ? null : firstSeq + eventIndex });
  }
}
