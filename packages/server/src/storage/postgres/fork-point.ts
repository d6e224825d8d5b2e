import { sql } from 'kysely';
import { idText, MAX_CANDIDATES, newestPoint, ownerOf, type Point, pointAt } from '../fork-point.ts';
import type { ForkPoint, ForkRefusal } from '../types.ts';
import type { Sql } from './database.ts';

/** See `TransferStorage.forkPoint`. `session` is its position; `db` sees one moment. */
export async function findForkPoint(
  db: Sql,
  session: number,
  messageId: string | null,
): Promise<ForkPoint | ForkRefusal> {
  const point = await findPoint(db, session, messageId);
  if (typeof point === 'string') return point;
  const last = await db
    .selectFrom('messages')
    .select(({ fn }) => fn.max<number | null>('seq').as('seq'))
    .where('session', '=', session)
    .where('accepted_seq', '<=', point.acceptedSeq)
    .executeTakeFirst();
  return { ...point, headSeq: last?.seq ?? 0 };
}

async function findPoint(db: Sql, session: number, messageId: string | null): Promise<Point | ForkRefusal> {
  const messages = db.selectFrom('messages').where('session', '=', session);
  const placed = messages.select(['seq', 'accepted_seq', 'message']);
  const begun = await db
    .selectFrom('runs')
    .select(({ fn }) => fn.min<number | null>('accepted_seq').as('seq'))
    .where('session', '=', session)
    .where('finished_at', 'is', null)
    .executeTakeFirst();
  const unfinished = begun?.seq ?? null;
  if (messageId === null) {
    const newest = placed
      .where('accepted_seq', '<', unfinished ?? Number.MAX_SAFE_INTEGER)
      .orderBy('accepted_seq', 'desc')
      .orderBy('seq', 'desc')
      .limit(1);
    return newestPoint(await newest.executeTakeFirst());
  }
  const candidates = await placed
    .where(sql<boolean>`strpos(message, ${idText(messageId)}) > 0`)
    .orderBy('seq', 'desc')
    .limit(MAX_CANDIDATES)
    .execute();
  const found = ownerOf(candidates, messageId);
  if (!found) return 'message_not_found';
  const last = await messages
    .select(({ fn }) => fn.max('seq').as('seq'))
    .where('accepted_seq', '=', found.accepted_seq)
    .executeTakeFirst();
  return pointAt(found, last?.seq ?? found.seq, unfinished);
}
