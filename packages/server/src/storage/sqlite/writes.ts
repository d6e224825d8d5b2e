import type { RunStatus } from '@llmgine/protocol';
import type { AppendRefusal, EngineRow, Write } from '../types.ts';
import type { Counters } from './counters.ts';
import type { Database, Prepared } from './database.ts';
import type { RunsTable } from './schema.ts';
import { engineColumns } from './sessions.ts';

/** The session as the writes of one append see it: each sees what those before it did. */
export interface AppendState {
  readonly session: number;
  readonly firstSeq: number;
  engineId: string | null;
  unfinishedRuns: number;
  /** Set by `create_run`. */
  position: number | undefined;
}

type Refused = AppendRefusal | undefined;
type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type RunKey = { session: number; runId: string };
type MessageArgs = { session: number; seq: number; acceptedSeq: number; message: string };
type RunArgs = RunKey &
  Record<'acceptedSeq' | 'createdAt', number> &
  Record<'engineId' | 'engineType' | 'command' | 'bodyHash' | 'engineConfig' | 'parameters', string>;
type FinishArgs = RunKey & {
  status: RunStatus;
  result: string;
  usage: string | null;
  error: string | null;
  at: number;
};
type EngineArgs = { session: number } & ReturnType<typeof engineColumns>;

/** The rows that follow from events. Everything runs inside the transaction of the append. */
export class Writes {
  readonly #counters: Counters;
  readonly #boot: number;
  readonly #run: Prepared<RunKey, Pick<RunsTable, 'status' | 'accepted_seq'>>;
  readonly #insertRun: Prepared<RunArgs, unknown>;
  readonly #startRun: Prepared<RunKey & { boot: number; at: number }, unknown>;
  readonly #finishRun: Prepared<FinishArgs, unknown>;
  readonly #openMessage: Prepared<RunKey & { openSeq: number | null }, unknown>;
  readonly #setUnfinished: Prepared<{ session: number; unfinishedRuns: number }, unknown>;
  readonly #insertMessage: Prepared<MessageArgs, unknown>;
  readonly #setEngine: Prepared<EngineArgs, unknown>;
  readonly #setEngineStatus: Prepared<
    { session: number; engineId: string; status: EngineRow['status'] },
    unknown
  >;

  constructor(database: Database, parts: { readonly counters: Counters; readonly boot: number }) {
    this.#counters = parts.counters;
    this.#boot = parts.boot;
    const db = database.sql;
    this.#run = database.prepare((p: RunKey) =>
      db
        .selectFrom('runs')
        .select(['status', 'accepted_seq'])
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId),
    );
    this.#insertRun = database.prepare((p: RunArgs) =>
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
    this.#startRun = database.prepare((p: RunKey & { boot: number; at: number }) =>
      db
        .updateTable('runs')
        .set({ status: 'running', boot: p.boot, started_at: p.at })
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'queued'),
    );
    this.#finishRun = database.prepare((p: FinishArgs) =>
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
    this.#openMessage = database.prepare((p: RunKey & { openSeq: number | null }) =>
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
    this.#insertMessage = database.prepare((p: MessageArgs) =>
      db
        .insertInto('messages')
        .values({ session: p.session, seq: p.seq, accepted_seq: p.acceptedSeq, message: p.message }),
    );
    this.#setEngine = database.prepare((p: EngineArgs) =>
      db
        .updateTable('sessions')
        .set({
          engine_id: p.engine_id,
          engine_type: p.engine_type,
          engine_config: p.engine_config,
          engine_status: p.engine_status,
        })
        .where('position', '=', p.session),
    );
    this.#setEngineStatus = database.prepare(
      (p: { session: number; engineId: string; status: EngineRow['status'] }) =>
        db
          .updateTable('sessions')
          .set({ engine_status: p.status })
          .where('position', '=', p.session)
          .where('engine_id', '=', p.engineId),
    );
  }

  /** Stops at the first write that is refused and says why; the caller rolls back. */
  apply(state: AppendState, writes: readonly Write[]): Refused {
    for (const write of writes) {
      const refused = this.#apply(state, write);
      if (refused) return refused;
    }
    return undefined;
  }

  #apply(state: AppendState, write: Write): Refused {
    const { session } = state;
    switch (write.kind) {
      case 'insert_message':
        return this.#message(state, write);
      case 'create_run':
        return this.#create(state, write);
      case 'start_run': {
        const { runId, at } = write;
        const started = this.#startRun.run({ session, runId, at, boot: this.#boot });
        return started === 0 ? 'run_not_in_state' : undefined;
      }
      case 'finish_run':
        return this.#finish(state, write);
      case 'open_message': {
        const { runId, eventIndex } = write;
        this.#openMessage.run({
          session,
          runId,
          openSeq: eventIndex === null ? null : state.firstSeq + eventIndex,
        });
        return undefined;
      }
      case 'link_engine':
        if (state.unfinishedRuns > 0) return 'run_in_progress';
        return this.#link(state, write.engine);
      case 'unlink_engine':
        if (state.unfinishedRuns > 0) return 'run_in_progress';
        if (state.engineId !== write.engineId) return 'engine_changed';
        return this.#link(state, null);
      case 'set_engine_status':
        this.#setEngineStatus.run({ session, engineId: write.engineId, status: write.status });
        return undefined;
    }
  }

  #message(state: AppendState, { message, eventIndex }: WriteOf<'insert_message'>): undefined {
    const { session, firstSeq } = state;
    const seq = firstSeq + eventIndex;
    const run = message.run_id === null ? undefined : this.#run.get({ session, runId: message.run_id });
    const acceptedSeq = run?.accepted_seq ?? seq;
    this.#insertMessage.run({ session, seq, acceptedSeq, message: JSON.stringify(message) });
  }

  #create(state: AppendState, { run, exclusive }: WriteOf<'create_run'>): Refused {
    const { session, firstSeq } = state;
    const { runId, engineId, engineType, command, bodyHash, createdAt } = run;
    if (this.#run.get({ session, runId })) return 'run_exists';
    if (state.engineId !== engineId) return 'engine_changed';
    if (exclusive && state.unfinishedRuns > 0) return 'run_in_progress';
    this.#insertRun.run({
      session,
      runId,
      engineId,
      engineType,
      command,
      bodyHash,
      createdAt,
      acceptedSeq: firstSeq,
      engineConfig: JSON.stringify(run.engineConfig),
      parameters: JSON.stringify(run.parameters),
    });
    state.position = state.unfinishedRuns;
    this.#countRuns(state, 1);
    return undefined;
  }

  #finish(state: AppendState, write: WriteOf<'finish_run'>): Refused {
    const { session } = state;
    const { runId, from, status, result, usage, error, at } = write;
    const run = this.#run.get({ session, runId });
    // A run ends once, whatever `from` says.
    const unfinished = run?.status === 'queued' || run?.status === 'running';
    if (!unfinished || !from.includes(run.status)) return 'run_not_in_state';
    this.#finishRun.run({
      session,
      runId,
      status,
      at,
      result: JSON.stringify(result),
      usage: usage && JSON.stringify(usage),
      error: error && JSON.stringify(error),
    });
    this.#countRuns(state, -1);
    return undefined;
  }

  #countRuns(state: AppendState, change: number): void {
    state.unfinishedRuns += change;
    this.#setUnfinished.run({ session: state.session, unfinishedRuns: state.unfinishedRuns });
  }

  #link(state: AppendState, engine: EngineRow | null): undefined {
    this.#setEngine.run({ session: state.session, ...engineColumns(engine) });
    const change = (engine ? 1 : 0) - (state.engineId === null ? 0 : 1);
    if (change !== 0) this.#counters.addEngines(change);
    state.engineId = engine?.engineId ?? null;
  }
}
