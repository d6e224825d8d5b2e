import type { RunStatus } from '@llmgine/protocol';
import type { AppendRefusal, NewRun, Write } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { RunsTable } from './schema.ts';
import type { AppendState } from './writes.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type RunKey = { session: number; runId: string };
type NewArgs = { session: number; acceptedSeq: number; engineConfig: string; parameters: string } & Omit<
  NewRun,
  'engineConfig' | 'parameters'
>;
type FinishArgs = RunKey & {
  status: RunStatus;
  result: string;
  usage: string | null;
  error: string | null;
  at: number;
};

/** The life of a run: queued, running, ended. */
export class RunWrites {
  readonly #boot: number;
  readonly #find: Prepared<RunKey, Pick<RunsTable, 'status' | 'accepted_seq'>>;
  readonly #insert: Prepared<NewArgs, unknown>;
  readonly #start: Prepared<RunKey & { boot: number; at: number }, unknown>;
  readonly #finish: Prepared<FinishArgs, unknown>;
  readonly #setOpen: Prepared<RunKey & { openSeq: number | null }, unknown>;
  readonly #setUnfinished: Prepared<{ session: number; unfinishedRuns: number }, unknown>;

  constructor(database: Database, boot: number) {
    this.#boot = boot;
    const db = database.sql;
    this.#find = database.prepare((p: RunKey) =>
      db
        .selectFrom('runs')
        .select(['status', 'accepted_seq'])
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId),
    );
    this.#insert = database.prepare((p: NewArgs) =>
      db.insertInto('runs').values({
        session: p.session,
        run_id: p.runId,
        accepted_seq: p.acceptedSeq,
        status: 'queued',
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
    this.#start = database.prepare((p: RunKey & { boot: number; at: number }) =>
      db
        .updateTable('runs')
        .set({ status: 'running', boot: p.boot, started_at: p.at })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'queued'),
    );
    this.#finish = database.prepare((p: FinishArgs) =>
      db
        .updateTable('runs')
        .set({
          status: p.status,
          result: p.result,
          usage: p.usage,
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
  }

  /** Where the run of that id began, if the session has it. */
  acceptedSeq(session: number, runId: string): number | undefined {
    return this.#find.get({ session, runId })?.accepted_seq;
  }

  create(state: AppendState, { run, maxAhead }: WriteOf<'create_run'>): AppendRefusal | undefined {
    const { session, firstSeq } = state;
    if (this.#find.get({ session, runId: run.runId })) return 'run_exists';
    if (state.engineId !== run.engineId) return 'engine_changed';
    if (state.unfinishedRuns > maxAhead) return 'run_in_progress';
    const engineConfig = JSON.stringify(run.engineConfig);
    const parameters = JSON.stringify(run.parameters);
    this.#insert.run({ ...run, session, acceptedSeq: firstSeq, engineConfig, parameters });
    state.position = state.unfinishedRuns;
    this.#count(state, 1);
    return undefined;
  }

  start({ session }: AppendState, { runId, at }: WriteOf<'start_run'>): AppendRefusal | undefined {
    return this.#start.run({ session, runId, at, boot: this.#boot }) === 0 ? 'run_not_in_state' : undefined;
  }

  finish(state: AppendState, write: WriteOf<'finish_run'>): AppendRefusal | undefined {
    const { session } = state;
    const { runId, from, status, result, usage, error, at } = write;
    const run = this.#find.get({ session, runId });
    // A run ends once, whatever `from` says.
    const unfinished = run?.status === 'queued' || run?.status === 'running';
    if (!unfinished || !from.includes(run.status)) return 'run_not_in_state';
    this.#finish.run({
      session,
      runId,
      status,
      at,
      result: JSON.stringify(result),
      usage: usage && JSON.stringify(usage),
      error: error && JSON.stringify(error),
    });
    this.#count(state, -1);
    return undefined;
  }

  open({ session, firstSeq }: AppendState, { runId, eventIndex }: WriteOf<'open_message'>): undefined {
    this.#setOpen.run({ session, runId, openSeq: eventIndex === null ? null : firstSeq + eventIndex });
  }

  #count(state: AppendState, change: number): void {
    state.unfinishedRuns += change;
    this.#setUnfinished.run({ session: state.session, unfinishedRuns: state.unfinishedRuns });
  }
}
