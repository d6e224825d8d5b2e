import { type Selectable, sql } from 'kysely';
import { LogEvent } from '../log-event.ts';
import { type EventPage, MAX_PAGE_SIZE, type SessionKey } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { EventsTable } from './schema.ts';
import type { Sessions } from './sessions.ts';

type Event = Selectable<EventsTable>;
type OpenArgs = { session: number; runId: string; from: number };

export class Events {
  readonly #sessions: Sessions;
  readonly #after: Prepared<{ session: number; after: number; limit: number }, Event>;
  readonly #open: Prepared<OpenArgs, Event>;

  constructor(database: Database, sessions: Sessions) {
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
    return { epoch, headSeq, events: rows.map((row) => toEvent(epoch, row)) };
  }

  /** `message_started` at `from` and what has been said of the message. */
  openMessage(session: number, epoch: string, runId: string, from: number): LogEvent[] {
    return this.#open.all({ session, runId, from }).map((row) => toEvent(epoch, row));
  }
}

function toEvent(epoch: string, row: Event): LogEvent {
  return new LogEvent(epoch, row.seq, row.event_type, row.run_id, row.payload, row.created_at);
}
