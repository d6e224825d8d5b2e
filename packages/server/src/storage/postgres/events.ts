import { sql } from 'kysely';
import type { LogEvent } from '../log-event.ts';
import { type EventPage, MAX_PAGE_SIZE, type SessionKey } from '../types.ts';
import type { Sql } from './database.ts';
import { type EventColumns, toEvent } from './event-row.ts';
import { findSession, ofKey } from './session-row.ts';
import { decode, encode } from './text.ts';

type Row = Omit<EventColumns, 'session' | 'size'>;
const EVENT = ['e.seq', 'e.event_type', 'e.run_id', 'e.payload', 'e.created_at'] as const;

export class Events {
  readonly #sql: Sql;

  constructor(db: Sql) {
    this.#sql = db;
  }

  async page(
    key: SessionKey,
    after: number,
    limit: number,
    maxSize = MAX_PAGE_SIZE,
  ): Promise<EventPage | null> {
    // One statement, so that the page fits the head and the floor.
    const rows = await ofKey(this.#sql, key)
      .leftJoinLateral(
        (eb) =>
          eb
            .selectFrom((inner) =>
              inner
                .selectFrom('events as e')
                .select([...EVENT, sql<number>`sum(e.size) over (order by e.seq) - e.size`.as('before')])
                .select('e.size')
                .whereRef('e.session', '=', 's.position')
                .where('e.seq', '>', after)
                .orderBy('e.seq')
                .limit(limit)
                .as('e'),
            )
            .select(EVENT)
            .where((where) =>
              where.or([
                where('e.before', '=', sql.lit(0)),
                where(sql<number>`e.before + e.size`, '<=', maxSize),
              ]),
            )
            .as('e'),
        (join) => join.onTrue(),
      )
      .select(['s.epoch', 's.head_seq', 's.floor_seq', ...EVENT])
      .execute();
    const [session] = rows;
    if (!session) return null;
    const epoch = decode(session.epoch);
    const events = rows.filter((row): row is typeof row & Row => row.seq !== null);
    return {
      epoch,
      headSeq: session.head_seq,
      floorSeq: session.floor_seq,
      // They come in this order; no database promises it without a sort of its own.
      events: events.toSorted((a, b) => a.seq - b.seq).map((row) => toEvent(epoch, row)),
    };
  }

  async ofRun(key: SessionKey, runId: string, eventTypes: readonly string[]): Promise<LogEvent[]> {
    const session = await findSession(this.#sql, key);
    if (!session || eventTypes.length === 0) return [];
    const begin = this.#sql
      .selectFrom('runs')
      .select('accepted_seq')
      .where('session', '=', session.position)
      .where('run_id', '=', encode(runId));
    const rows = await this.#sql
      .selectFrom('events as e')
      .select(EVENT)
      .where('e.session', '=', session.position)
      .where('e.seq', '>=', begin)
      .where('e.run_id', '=', encode(runId))
      .where('e.event_type', 'in', eventTypes.map(encode))
      .orderBy('e.seq')
      .execute();
    return rows.map((row) => toEvent(decode(session.epoch), row));
  }
}

/** `message_started` at `from` and what has been said of the message. */
export async function openMessage(
  db: Sql,
  session: { readonly position: number; readonly epoch: string },
  runId: string,
  from: number,
): Promise<LogEvent[]> {
  const rows = await db
    .selectFrom('events as e')
    .select(EVENT)
    .where('e.session', '=', session.position)
    .where('e.seq', '>=', from)
    .where('e.run_id', '=', encode(runId))
    .where('e.event_type', 'in', ['message_started', 'text_delta', 'reasoning_delta'])
    .orderBy('e.seq')
    .execute();
  return rows.map((row) => toEvent(decode(session.epoch), row));
}
