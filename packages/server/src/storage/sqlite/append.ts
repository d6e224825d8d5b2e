import { withReplaces } from '../log-event.ts';
import type { Append, AppendOutcome } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { Idempotency } from './idempotency.ts';
import { OLDEST_KEPT } from './retention.ts';
import type { Sessions } from './sessions.ts';
import type { AppendState, Writes } from './writes.ts';

interface FenceArgs {
  session: number;
  runId: string;
  boot: number;
  attempt: number;
}
type AdvanceArgs = Omit<FenceArgs, 'session'> & {
  sessionId: string;
  tenantId: string;
  ownerId: string;
  events: number;
};
interface EventArgs {
  session: number;
  seq: number;
  eventType: string;
  runId: string | null;
  payload: string;
  createdAt: number;
}

/** The hot path: for one delta it is two prepared statements. */
export class Appends {
  readonly #database: Database;
  readonly #sessions: Sessions;
  readonly #writes: Writes;
  readonly #idempotency: Idempotency;
  readonly #boot: number;
  readonly #fence: Prepared<FenceArgs, unknown>;
  readonly #advance: Prepared<AdvanceArgs, { position: number; epoch: string; head_seq: number }>;
  readonly #insertEvent: Prepared<EventArgs, unknown>;
  readonly #setHead: Prepared<{ session: number; headSeq: number }, unknown>;
  readonly #keep: Prepared<{ session: number }, unknown>;
  readonly #findId: Prepared<{ session: number; eventId: string }, { seq: number }>;
  readonly #insertId: Prepared<{ session: number; eventId: string; seq: number }, unknown>;

  constructor(
    database: Database,
    parts: { sessions: Sessions; writes: Writes; idempotency: Idempotency; boot: number },
  ) {
    this.#database = database;
    this.#sessions = parts.sessions;
    this.#writes = parts.writes;
    this.#idempotency = parts.idempotency;
    this.#boot = parts.boot;
    const db = database.sql;
    this.#fence = database.prepare((p: FenceArgs) =>
      db
        .selectFrom('runs')
        .select('position')
        .where('session', '=', p.session)
        .where('run_id', '=', p.runId)
        .where('status', '=', 'running')
        .where('boot', '=', p.boot)
        .where('attempt', '=', p.attempt),
    );
    this.#advance = database.prepare((p: AdvanceArgs) =>
      db
        .updateTable('sessions')
        .set((eb) => ({ head_seq: eb('head_seq', '+', p.events) }))
        .where('session_id', '=', p.sessionId)
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId)
        .where('deleted_at', 'is', null)
        .where((eb) =>
          eb.exists(
            eb
              .selectFrom('runs')
              .select('runs.position')
              .whereRef('runs.session', '=', 'sessions.position')
              .where('runs.run_id', '=', p.runId)
              .where('runs.status', '=', 'running')
              .where('runs.boot', '=', p.boot)
              .where('runs.attempt', '=', p.attempt),
          ),
        )
        .returning(['position', 'epoch', 'head_seq']),
    );
    this.#insertEvent = database.prepare((p: EventArgs) =>
      db.insertInto('events').values({
        session: p.session,
        seq: p.seq,
        event_type: p.eventType,
        run_id: p.runId,
        payload: p.payload,
        created_at: p.createdAt,
      }),
    );
    this.#setHead = database.prepare((p: { session: number; headSeq: number }) =>
      db.updateTable('sessions').set({ head_seq: p.headSeq }).where('position', '=', p.session),
    );
    this.#keep = database.prepare((p: { session: number }) =>
      db
        .updateTable('sessions')
        .set({ kept_since: OLDEST_KEPT })
        .where('position', '=', p.session)
        .where('kept_since', 'is', null),
    );
    this.#findId = database.prepare((p: { session: number; eventId: string }) =>
      db
        .selectFrom('event_ids')
        .select('seq')
        .where('session', '=', p.session)
        .where('event_id', '=', p.eventId),
    );
    this.#insertId = database.prepare((p: { session: number; eventId: string; seq: number }) =>
      db.insertInto('event_ids').values({ session: p.session, event_id: p.eventId, seq: p.seq }),
    );
  }

  apply(batch: readonly Append[]): AppendOutcome[] {
    return this.#database.transaction(() => batch.map((append) => this.#apply(append)));
  }

  #apply(append: Append): AppendOutcome {
    return this.#say(append) ?? this.#applyAny(append);
  }

  /** What a run says and nothing else, which is most of all appends; null when it is more than that, or is refused. */
  #say({ session, fence, events, writes, idempotency, touchedAt }: Append): AppendOutcome | null {
    if (!fence || events.length === 0 || (writes && writes.length > 0)) return null;
    if (idempotency || touchedAt !== undefined || events.some(({ eventId }) => eventId !== undefined))
      return null;
    const advanced = this.#advance.get({
      sessionId: session.sessionId,
      tenantId: session.tenantId,
      ownerId: session.ownerId,
      runId: fence.runId,
      boot: this.#boot,
      attempt: fence.attempt,
      events: events.length,
    });
    if (!advanced) return null;
    const { position, epoch, head_seq: lastSeq } = advanced;
    const firstSeq = lastSeq - events.length + 1;
    let seq = firstSeq;
    for (const { eventType, runId, payload, createdAt } of events) {
      this.#insertEvent.run({ session: position, seq: seq++, eventType, runId, payload, createdAt });
    }
    return { ok: true, epoch, firstSeq, lastSeq };
  }

  #applyAny(append: Append): AppendOutcome {
    const session = this.#sessions.find(append.session);
    if (!session) return { ok: false, reason: 'session_not_found' };
    const { position, epoch, head_seq: head } = session;
    if (append.fence) {
      const { runId, attempt } = append.fence;
      if (!this.#fence.get({ session: position, runId, boot: this.#boot, attempt }))
        return { ok: false, reason: 'fenced' };
    }
    if (append.idempotency && this.#idempotency.has(append.idempotency))
      return { ok: false, reason: 'idempotency_exists' };
    const repeated = this.#repeatedEvent(position, append);
    if (repeated) return { ok: false, reason: 'event_exists', epoch, ...repeated };

    const state: AppendState = {
      session: position,
      scope: append.session,
      firstSeq: append.events.length > 0 ? head + 1 : head,
      engineId: session.engine_id,
      unfinishedRuns: session.unfinished_runs,
      position: undefined,
      granted: undefined,
      exceeded: undefined,
      replaced: undefined,
    };
    if (append.writes && append.writes.length > 0) {
      const refused = this.#database.savepoint(() => this.#writes.apply(state, append));
      if (refused) {
        return { ok: false, reason: refused, ...(state.exceeded ? { exceeded: state.exceeded } : {}) };
      }
    }
    let seq = head;
    for (const [index, event] of append.events.entries()) {
      const { eventType, runId, createdAt, eventId } = event;
      const replaced = state.replaced?.find(({ eventIndex }) => eventIndex === index);
      const payload = replaced ? withReplaces(event.payload, replaced) : event.payload;
      this.#insertEvent.run({ session: position, seq: ++seq, eventType, runId, payload, createdAt });
      if (eventId !== undefined) this.#insertId.run({ session: position, eventId, seq });
    }
    if (seq !== head) {
      this.#setHead.run({ session: position, headSeq: seq });
      // What a run appends cannot be pruned before it has ended, and its end looks after it.
      if (!append.fence) this.#keep.run({ session: position });
    }
    if (append.idempotency) this.#idempotency.keep(append.idempotency);
    if (append.touchedAt !== undefined) this.#sessions.touchOne(append.session, append.touchedAt);
    return {
      ok: true,
      epoch,
      firstSeq: state.firstSeq,
      lastSeq: seq,
      ...(state.position === undefined ? {} : { position: state.position }),
      ...(state.granted === undefined ? {} : { granted: state.granted }),
      ...(state.replaced === undefined ? {} : { replaced: state.replaced }),
    };
  }

  /** The first event whose id the session, or this append, has already. */
  #repeatedEvent(session: number, { events }: Append): { seq?: number } | null {
    let own: Set<string> | undefined;
    for (const { eventId } of events) {
      if (eventId === undefined) continue;
      const found = this.#findId.get({ session, eventId });
      if (found) return found;
      own ??= new Set();
      if (own.has(eventId)) return {};
      own.add(eventId);
    }
    return null;
  }
}
