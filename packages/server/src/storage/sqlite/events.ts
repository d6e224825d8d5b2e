import { type Selectable, sql } from 'kysely';
import { LogEvent } from '../log-event.ts';
import type { EventsTable } from '../tables.ts';
import { type EventPage, MAX_PAGE_SIZE, type SessionKey } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { Sessions } from './sessions.ts';

type Event = Selectable<EventsTable>;
type OpenArgs = { session: number; runId: string; from: number };

export class Events {
  readonly #database: Database;
  readonly #sessions: Sessions;
  readonly #after: Prepared<{ session: number; after: number; limit: number }, Event>;
  readonly #open: Prepared<OpenArgs, Event>;
  readonly #floor: Prepared<{ session: number }, { floor_seq: number }>;

  constructor(database: Database, sessions: Sessions) {
    this.#database = database;
    this.#sessions = sessions;
    const db = database.sql;
    this.#after = database.prepare((p: { session: number; after: number; limit: number }) =>
      db
        .selectFrom('events')
        .selectAll()
        .where('session', '=', p.session)
        .where('seq', '>', p.after)
        .orderBy('seq')
        .limit(p.limit),
    );
    this.#open = database.prepare((p: OpenArgs) =>
      db
        .selectFrom('events')
        .selectAll()
        .where('session', '=', p.session)
        .where('seq', '>=', p.from)
        .where('run_id', '=', p.runId)
        .where('event_type', 'in', [
          sql.lit('message_started'),
          sql.lit('text_delta'),
          sql.lit('reasoning_delta'),
        ])
        .orderBy('seq'),
    );
    this.#floor = database.prepare((p: { session: number }) =>
      db.selectFrom('sessions').select('floor_seq').where('position', '=', p.session),
    );
  }

  page(key: SessionKey, after: number, limit: number, maxSize = MAX_PAGE_SIZE): EventPage | null {
    const session = this.#sessions.find(key);
    if (!session) return null;
    const { position, epoch, head_seq: headSeq } = session;
    const { rows } = this.#after.upTo(
      { session: position, after, limit },
      maxSize,
      (row) => row.payload.length,
    );
    const floorSeq = this.#floor.get({ session: position })?.floor_seq ?? 0;
    return { epoch, headSeq, floorSeq, events: rows.map((row) => toEvent(epoch, row)) };
  }

  ofRun(key: SessionKey, runId: string, eventTypes: readonly string[]): LogEvent[] {
    const session = this.#sessions.find(key);
    if (!session) return [];
    const begin = this.#database.sql
      .selectFrom('runs')
      .select('accepted_seq')
      .where('session', '=', session.position)
      .where('run_id', '=', runId);
    const rows = this.#database.all(
      this.#database.sql
        .selectFrom('events')
        .selectAll()
        .where('session', '=', session.position)
        .where('seq', '>=', begin)
        .where('run_id', '=', runId)
        .where('event_type', 'in', eventTypes)
        .orderBy('seq'),
    );
    return rows.map((row) => toEvent(session.epoch, row));
  }

  /** `message_started` at `from` and what has been said of the message. */
  openMessage(session: number, epoch: string, runId: string, from: number): LogEvent[] {
    return this.#open.all({ session, runId, from }).map((row) => toEvent(epoch, row));
  }
}

function toEvent(epoch: string, row: Event): LogEvent {
  return new LogEvent(epoch, row.seq, row.event_type, row.run_id, row.payload, row.created_at);
}
