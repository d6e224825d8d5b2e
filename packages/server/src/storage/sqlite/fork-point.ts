import { newestPoint, type PlacedMessage, type Point, pointAt } from '../fork-point.ts';
import type { ForkPoint, ForkRefusal } from '../types.ts';
import type { Database } from './database.ts';

/** See `TransferStorage.forkPoint`. `session` is its position; null for the newest end of a run. */
export function findForkPoint(
  database: Database,
  session: number,
  message: PlacedMessage | null,
): ForkPoint | ForkRefusal {
  const point = findPoint(database, session, message);
  if (typeof point === 'string') return point;
  const last = database.get(
    database.sql
      .selectFrom('messages')
      .select(({ fn }) => fn.max<number | null>('seq').as('seq'))
      .where('session', '=', session)
      .where('accepted_seq', '<=', point.acceptedSeq),
  );
  return { ...point, headSeq: last?.seq ?? 0 };
}

function findPoint(database: Database, session: number, message: PlacedMessage | null): Point | ForkRefusal {
  const db = database.sql;
  const messages = db.selectFrom('messages').where('session', '=', session);
  const begun = database.get(
    db
      .selectFrom('runs')
      .select(({ fn }) => fn.min<number | null>('accepted_seq').as('seq'))
      .where('session', '=', session)
      .where('finished_at', 'is', null),
  );
  const unfinished = begun?.seq ?? null;
  if (message === null) {
    const before = unfinished ?? Number.MAX_SAFE_INTEGER;
    return newestPoint(
      database.get(
        messages
          .select(['seq', 'accepted_seq', 'message'])
          .where('accepted_seq', '<', before)
          .orderBy('accepted_seq', 'desc')
          .orderBy('seq', 'desc')
          .limit(1),
      ),
    );
  }
  const last = database.get(
    messages.select(({ fn }) => fn.max('seq').as('seq')).where('accepted_seq', '=', message.accepted_seq),
  );
  return pointAt(message, last?.seq ?? message.seq, unfinished);
}
