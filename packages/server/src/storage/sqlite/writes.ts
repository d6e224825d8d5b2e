import { engineColumns } from '../session-row.ts';
import type {
  Append,
  AppendRefusal,
  EngineRow,
  Exceeded,
  Grant,
  NewEvent,
  Replaced,
  Scope,
  Write,
} from '../types.ts';
import type { Counters } from './counters.ts';
import type { Database, Prepared } from './database.ts';
import { RequestWrites } from './request-writes.ts';
import { RunMoves } from './run-moves.ts';
import { RunWrites } from './run-writes.ts';
import { Spending } from './spending.ts';
import type { UsageDays } from './usage-days.ts';

/** The session as the writes of one append see it: each sees what those before it did. */
export interface AppendState {
  readonly session: number;
  /** Whose it is. */
  readonly scope: Scope;
  readonly firstSeq: number;
  engineId: string | null;
  unfinishedRuns: number;
  /** Set by `create_run`. */
  position: number | undefined;
  /** Set by `reserve_budget`. */
  granted: Grant | undefined;
  exceeded: Exceeded | undefined;
  /** Of the streamed messages of this append. */
  replaced: Replaced[] | undefined;
}

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;
type MessageArgs = {
  session: number;
  seq: number;
  acceptedSeq: number;
  message: string;
  fromSeq: number | null;
  toSeq: number | null;
  completedAt: number;
};
type EngineArgs = { session: number } & ReturnType<typeof engineColumns>;
type EngineStatusArgs = { session: number; engineId: string; status: EngineRow['status'] };

/** The rows that follow from events. Everything runs inside the transaction of the append. */
export class Writes {
  readonly #counters: Counters;
  readonly #runs: RunWrites;
  readonly #moves: RunMoves;
  readonly #requests: RequestWrites;
  readonly #insertMessage: Prepared<MessageArgs, unknown>;
  readonly #setEngine: Prepared<EngineArgs, unknown>;
  readonly #setEngineStatus: Prepared<EngineStatusArgs, unknown>;

  constructor(
    database: Database,
    parts: { readonly counters: Counters; readonly boot: number; readonly days: UsageDays },
  ) {
    this.#counters = parts.counters;
    const { boot } = parts;
    const requests = new RequestWrites(database);
    const spending = new Spending(database, parts.days);
    const runs = new RunWrites(database, { boot, requests, spending });
    this.#runs = runs;
    this.#moves = new RunMoves(database, { boot, runs, requests, spending });
    this.#requests = requests;
    const db = database.sql;
    this.#insertMessage = database.prepare((p: MessageArgs) =>
      db.insertInto('messages').values({
        session: p.session,
        seq: p.seq,
        accepted_seq: p.acceptedSeq,
        message: p.message,
        from_seq: p.fromSeq,
        to_seq: p.toSeq,
        completed_at: p.completedAt,
      }),
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
      case 'checkpoint':
        return this.#runs.checkpoint(state, write);
      case 'reserve_budget':
        return this.#runs.reserve(state, write);
      case 'park_run':
        return this.#moves.park(state, write);
      case 'release_run':
        return this.#moves.release(state, write);
      case 'recover_run':
        return this.#moves.recover(state, write);
      case 'finish_run':
        return this.#runs.finish(state, write);
      case 'open_message':
        return this.#runs.open(state, write);
      case 'insert_message':
        return this.#message(state, write, events);
      case 'create_request': {
        const run = this.#runs.find(state.session, write.request.runId);
        return this.#requests.create(state, write, run?.status === 'running');
      }
      case 'claim_request':
        return this.#requests.claim(state, write);
      case 'resolve_request':
        return this.#resolve(state, write);
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
    state: AppendState,
    { eventIndex, streamed = false }: WriteOf<'insert_message'>,
    events: readonly NewEvent[],
  ): undefined {
    const { session, firstSeq } = state;
    const event = events[eventIndex];
    if (!event) throw new RangeError(`There is no event ${eventIndex} in the append`);
    const seq = firstSeq + eventIndex;
    const run = event.runId === null ? undefined : this.#runs.find(session, event.runId);
    const fromSeq = (streamed ? (run?.open_seq ?? seq) : seq) + 1;
    const replaces = fromSeq < seq;
    this.#insertMessage.run({
      session,
      seq,
      acceptedSeq: run?.accepted_seq ?? seq,
      message: event.payload,
      fromSeq: replaces ? fromSeq : null,
      toSeq: replaces ? seq - 1 : null,
      completedAt: event.createdAt,
    });
    if (!replaces) return;
    state.replaced ??= [];
    state.replaced.push({ eventIndex, fromSeq, toSeq: seq - 1 });
  }

  #resolve(state: AppendState, write: WriteOf<'resolve_request'>): AppendRefusal | undefined {
    const resolved = this.#requests.resolve(state, write);
    if (typeof resolved === 'string') return resolved;
    this.#moves.wake(state.session, resolved.runId);
    return undefined;
  }

  #link(state: AppendState, engine: EngineRow | null): undefined {
    this.#setEngine.run({ session: state.session, ...engineColumns(engine) });
    const change = (engine ? 1 : 0) - (state.engineId === null ? 0 : 1);
    if (change !== 0) this.#counters.addEngines(change);
    state.engineId = engine?.engineId ?? null;
  }
}
