import type { Append, AppendRefusal, EngineRow, NewEvent, Write } from '../types.ts';
import type { Counters } from './counters.ts';
import type { Database, Prepared } from './database.ts';
import { RunWrites } from './run-writes.ts';
import { engineColumns } from './session-row.ts';

/** The session as the writes of one append see it: each sees what those before it did. */
export interface AppendState {
  readonly session: number;
  readonly firstSeq: number;
  engineId: string | null;
  unfinishedRuns: number;
  /** Set by `create_run`. */
  position: number | undefined;
}

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type MessageArgs = { session: number; seq: number; acceptedSeq: number; message: string };
type EngineArgs = { session: number } & ReturnType<typeof engineColumns>;
type EngineStatusArgs = { session: number; engineId: string; status: EngineRow['status'] };

/** The rows that follow from events. Everything runs inside the transaction of the append. */
export class Writes {
  readonly #counters: Counters;
  readonly #runs: RunWrites;
  readonly #insertMessage: Prepared<MessageArgs, unknown>;
  readonly #setEngine: Prepared<EngineArgs, unknown>;
  readonly #setEngineStatus: Prepared<EngineStatusArgs, unknown>;

  constructor(database: Database, parts: { readonly counters: Counters; readonly boot: number }) {
    this.#counters = parts.counters;
    this.#runs = new RunWrites(database, parts.boot);
    const db = database.sql;
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
    this.#setEngineStatus = database.prepare((p: EngineStatusArgs) =>
      db
        .updateTable('sessions')
        .set({ engine_status: p.status })
        .where('position', '=', p.session)
        .where('engine_id', '=', p.engineId),
    );
  }

  /** Stops at the first write that is refused and says why; the caller rolls back. */
  apply(state: AppendState, { writes = [], events }: Append): AppendRefusal | undefined {
    for (const write of writes) {
      const refused = this.#apply(state, write, events);
      if (refused) return refused;
    }
    return undefined;
  }

  #apply(state: AppendState, write: Write, events: readonly NewEvent[]): AppendRefusal | undefined {
    switch (write.kind) {
      case 'create_run':
        return this.#runs.create(state, write);
      case 'start_run':
        return this.#runs.start(state, write);
      case 'finish_run':
        return this.#runs.finish(state, write);
      case 'open_message':
        return this.#runs.open(state, write);
      case 'insert_message':
        return this.#message(state, write, events);
      case 'link_engine':
        if (state.unfinishedRuns > 0) return 'run_in_progress';
        return this.#link(state, write.engine);
      case 'unlink_engine':
        if (state.unfinishedRuns > 0) return 'run_in_progress';
        if (state.engineId !== write.engineId) return 'engine_changed';
        return this.#link(state, null);
      case 'set_engine_status': {
        const { engineId, status } = write;
        this.#setEngineStatus.run({ session: state.session, engineId, status });
        return undefined;
      }
    }
  }

  #message(
    { session, firstSeq }: AppendState,
    { eventIndex }: WriteOf<'insert_message'>,
    events: readonly NewEvent[],
  ): undefined {
    const event = events[eventIndex];
    if (!event) throw new RangeError(`There is no event ${eventIndex} in the append`);
    const seq = firstSeq + eventIndex;
    const acceptedSeq = event.runId === null ? undefined : this.#runs.acceptedSeq(session, event.runId);
    this.#insertMessage.run({ session, seq, acceptedSeq: acceptedSeq ?? seq, message: event.payload });
  }

  #link(state: AppendState, engine: EngineRow | null): undefined {
    this.#setEngine.run({ session: state.session, ...engineColumns(engine) });
    const change = (engine ? 1 : 0) - (state.engineId === null ? 0 : 1);
    if (change !== 0) this.#counters.addEngines(change);
    state.engineId = engine?.engineId ?? null;
  }
}
