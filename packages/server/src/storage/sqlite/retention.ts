import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { EventsTable, SessionsTable } from '../tables.ts';
import type { Database, Prepared } from './database.ts';

type Old = Pick<Selectable<SessionsTable>, 'position' | 'floor_seq'>;
type Streamed = { session: number; seq: number; accepted_seq: number; from_seq: number; to_seq: number };
type Slice = Streamed & { limit: number };

/** When the oldest event that a session keeps was appended, in a statement on `sessions`: for its `kept_since`. */
export const OLDEST_KEPT: RawBuilder<number | null> = sql`
  (select created_at from events where events.session = sessions.position order by seq limit 1)`;

/** Removes events that are no longer needed, in slices, because the whole process waits for each. */
export class Retention {
  readonly #database: Database;
  readonly #nextStreamed: Prepared<{ before: number }, Streamed>;
  readonly #firstStreamed: Prepared<object, { completed_at: number }>;
  readonly #hasDeltas: Prepared<Slice, unknown>;
  readonly #removeDeltas: Prepared<Slice, unknown>;
  readonly #compacted: Prepared<{ session: number; seq: number }, unknown>;
  readonly #nextOld: Prepared<{ before: number }, Old>;
  readonly #firstOld: Prepared<object, { kept_since: number }>;
  readonly #firstUnfinished: Prepared<{ session: number }, { accepted_seq: number }>;
  readonly #oldest: Prepared<
    { session: number; below: number; limit: number },
    Pick<EventsTable, 'seq' | 'created_at'>
  >;
  readonly #removeEvents: Prepared<{ session: number; upTo: number }, unknown>;
  readonly #removeIds: Prepared<{ session: number; upTo: number }, unknown>;
  readonly #raiseFloor: Prepared<{ session: number; floor: number; keptSince: number | null }, unknown>;

  constructor(database: Database) {
    this.#database = database;
    const db = database.sql;
    const streamed = db.selectFrom('messages').where('to_seq', 'is not', null).orderBy('completed_at');
    this.#nextStreamed = database.prepare((p: { before: number }) =>
      streamed
        .select(['session', 'seq', 'accepted_seq'])
        .select((eb) => [
          eb.ref('from_seq').$notNull().as('from_seq'),
          eb.ref('to_seq').$notNull().as('to_seq'),
        ])
        .where('completed_at', '<', p.before)
        .limit(sql.lit(1)),
    );
    this.#firstStreamed = database.prepare(() =>
      streamed.select((eb) => eb.ref('completed_at').$notNull().as('completed_at')).limit(sql.lit(1)),
    );
    const deltas = (p: Slice) =>
      db
        .selectFrom('events')
        .select(sql<number>`events.rowid`.as('row'))
        .where('session', '=', p.session)
        .where('seq', '>=', p.from_seq)
        .where('seq', '<=', p.to_seq)
        .where('run_id', '=', (eb) =>
          eb
            .selectFrom('runs')
            .select('run_id')
            .where('session', '=', p.session)
            .where('accepted_seq', '=', p.accepted_seq),
        )
        .where('event_type', 'in', [sql.lit('text_delta'), sql.lit('reasoning_delta')])
        .orderBy('seq')
        .limit(p.limit);
    this.#hasDeltas = database.prepare(deltas);
    this.#removeDeltas = database.prepare((p: Slice) =>
      db.deleteFrom('events').where(sql.ref<number>('rowid'), 'in', deltas(p)),
    );
    this.#compacted = database.prepare((p: { session: number; seq: number }) =>
      db
        .updateTable('messages')
        .set({ from_seq: null, to_seq: null })
        .where('session', '=', p.session)
        .where('seq', '=', p.seq),
    );

    const old = db
      .selectFrom('sessions')
      .where('deleted_at', 'is', null)
      .where('kept_since', 'is not', null)
      .orderBy('kept_since');
    this.#nextOld = database.prepare((p: { before: number }) =>
      old.select(['position', 'floor_seq']).where('kept_since', '<', p.before).limit(sql.lit(1)),
    );
    this.#firstOld = database.prepare(() =>
      old.select((eb) => eb.ref('kept_since').$notNull().as('kept_since')).limit(sql.lit(1)),
    );
    this.#firstUnfinished = database.prepare((p: { session: number }) =>
      db
        .selectFrom('runs')
        .select('accepted_seq')
        .where('session', '=', p.session)
        .where('finished_at', 'is', null)
        .orderBy('accepted_seq')
        .limit(sql.lit(1)),
    );
    this.#oldest = database.prepare((p: { session: number; below: number; limit: number }) =>
      db
        .selectFrom('events')
        .select(['seq', 'created_at'])
        .where('session', '=', p.session)
        .where('seq', '<', p.below)
        .orderBy('seq')
        .limit(p.limit),
    );
    this.#removeEvents = database.prepare((p: { session: number; upTo: number }) =>
      db.deleteFrom('events').where('session', '=', p.session).where('seq', '<=', p.upTo),
    );
    this.#removeIds = database.prepare((p: { session: number; upTo: number }) =>
      db.deleteFrom('event_ids').where('session', '=', p.session).where('seq', '<=', p.upTo),
    );
    this.#raiseFloor = database.prepare((p: { session: number; floor: number; keptSince: number | null }) =>
      db
        .updateTable('sessions')
        .set({ floor_seq: p.floor, kept_since: p.keptSince })
        .where('position', '=', p.session),
    );
  }

  /** See `Storage.compactEvents`. */
  compact(completedBefore: number, limit: number): boolean {
    return this.#database.transaction(() => {
      let left = limit;
      const next = () => this.#nextStreamed.get({ before: completedBefore });
      for (let message = next(); message; message = next()) {
        if (left <= 0) return true;
        left -= this.#removeDeltas.run({ ...message, limit: left });
        if (left === 0 && this.#hasDeltas.get({ ...message, limit: 1 })) return true;
        this.#compacted.run(message);
        // Counts too, so that messages whose deltas are gone already do not make a slice long.
        left--;
      }
      return false;
    });
  }

  nextCompaction(): number | null {
    return this.#firstStreamed.get({})?.completed_at ?? null;
  }

  /** See `Storage.pruneEvents`. */
  prune(createdBefore: number, limit: number): boolean {
    return this.#database.transaction(() => {
      let left = limit;
      const next = () => this.#nextOld.get({ before: createdBefore });
      for (let session = next(); session; session = next()) {
        if (left <= 0) return true;
        left -= Math.max(this.#pruneSession(session, createdBefore, left), 1);
      }
      return false;
    });
  }

  nextPrune(): number | null {
    return this.#firstOld.get({})?.kept_since ?? null;
  }

  /** The number of removed events. Whatever it is, the session is looked at again only when there is more to remove. */
  #pruneSession({ position: session, floor_seq }: Old, createdBefore: number, limit: number): number {
    const below = this.#firstUnfinished.get({ session })?.accepted_seq ?? Number.MAX_SAFE_INTEGER;
    const oldest = this.#oldest.all({ session, below, limit: limit + 1 });
    const kept = oldest.findIndex(({ created_at }) => created_at >= createdBefore);
    const removed = Math.min(kept === -1 ? oldest.length : kept, limit);
    const floor = oldest[removed - 1]?.seq ?? floor_seq;
    if (removed > 0) {
      this.#removeEvents.run({ session, upTo: floor });
      this.#removeIds.run({ session, upTo: floor });
    }
    this.#raiseFloor.run({ session, floor, keptSince: oldest[removed]?.created_at ?? null });
    return removed;
  }
}
