import { sql } from 'kysely';
import { idText, MAX_CANDIDATES, newestPoint, ownerOf, type Point, pointAt } from '../fork-point.ts';
import type { ForkPoint, ForkRefusal } from '../types.ts';
import type { Database } from './database.ts';

/** See `TransferStorage.forkPoint`. `session` is its position. */
export function findForkPoint(
  database: Database,
  session: number,
  messageId: string | null,
): ForkPoint | ForkRefusal {
  const point = findPoint(database, session, messageId);
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

function findPoint(database: Database, session: number, messageId: string | null): Point | ForkRefusal {
  const db = database.sql;
  const messages = db.selectFrom('messages').where('session', '=', session);
  const placed = messages.select(['seq', 'accepted_seq', 'message']);
  const begun = database.get(
    db
      .selectFrom('runs')
      .select(({ fn }) => fn.min<number | null>('accepted_seq').as('seq'))
      .where('session', '=', session)
      .where('finished_at', 'is', null),
  );
  const unfinished = begun?.seq ?? null;
  if (messageId === null) {
    const before = unfinished ?? Number.MAX_SAFE_INTEGER;
    return newestPoint(
      database.get(
        placed
          .where('accepted_seq', '<', before)
          .orderBy('accepted_seq', 'desc')
          .orderBy('seq', 'desc')
          .limit(1),
      ),
    );
  }
  const candidates = database.all(
    placed
      .where(sql<boolean>`instr(message, ${idText(messageId)}) > 0`)
      .orderBy('seq', 'desc')
      .limit(MAX_CANDIDATES),
  );
  const found = ownerOf(candidates, messageId);
  if (!found) return 'message_not_found';
  const last = database.get(
    messages.select(({ fn }) => fn.max('seq').as('seq')).where('accepted_seq', '=', found.accepted_seq),
  );
  return pointAt(found, last?.seq ?? found.seq, unfinished);
}
