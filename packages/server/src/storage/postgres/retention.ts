import { type RawBuilder, sql } from 'kysely';
import type { Database, Sql } from './database.ts';

interface Streamed {
  readonly session: number;
  readonly seq: number;
  readonly run_id: string | null;
  readonly from_seq: number | null;
  readonly to_seq: number | null;
}
interface Old {
  readonly position: number;
  readonly floor_seq: number;
}

/**
 * Removes events that are no longer needed, in slices of short transactions. What another process has locked is left to
 * it, or to the next slice.
 */
export class Retention {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See `Storage.compactEvents`. */
  compact(completedBefore: number, limit: number): Promise<boolean> {
    return this.#database.transaction(async (db) => {
      let left = limit;
      const next = () => nextStreamed(db, completedBefore);
      for (let message = await next(); message; message = await next()) {
        if (left <= 0) return true;
        left -= await removeDeltas(db, message, left);
        if (left === 0 && (await hasDeltas(db, message))) return true;
        await db
          .updateTable('messages')
          .set({ from_seq: null, to_seq: null })
          .where('session', '=', message.session)
          .where('seq', '=', message.seq)
          .execute();
        // Counts too, so that messages whose deltas are gone already do not make a slice long.
        left--;
      }
      return false;
    });
  }

  async nextCompaction(): Promise<number | null> {
    const row = await this.#database.sql
      .selectFrom('messages')
      .select('completed_at')
      .where('to_seq', 'is not', null)
      .orderBy('completed_at')
      .limit(1)
      .executeTakeFirst();
    return row?.completed_at ?? null;
  }

  /** See `Storage.pruneEvents`. One transaction a session, because its appends wait for it. */
  async prune(createdBefore: number, limit: number): Promise<boolean> {
    let left = limit;
    for (;;) {
      const pruned = await this.#database.transaction(async (db) => {
        const session = await nextOld(db, createdBefore);
        if (!session) return null;
        return left <= 0 ? 'more' : pruneSession(db, session, createdBefore, left);
      });
      if (pruned === null) return false;
      if (pruned === 'more') return true;
      left -= Math.max(pruned, 1);
    }
  }

  async nextPrune(): Promise<number | null> {
    const row = await this.#database.sql
      .selectFrom('sessions')
      .select('kept_since')
      .where('deleted_at', 'is', null)
      .where('kept_since', 'is not', null)
      .orderBy('kept_since')
      .limit(1)
      .executeTakeFirst();
    return row?.kept_since ?? null;
  }
}

async function nextStreamed(db: Sql, completedBefore: number): Promise<Streamed | undefined> {
  return db
    .selectFrom('messages')
    .select(['session', 'seq', 'run_id', 'from_seq', 'to_seq'])
    .where('to_seq', 'is not', null)
    .where('completed_at', '<', completedBefore)
    .orderBy('completed_at')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

function deltas({ session, run_id, from_seq, to_seq }: Streamed, limit: number): RawBuilder<unknown> {
  return sql`
    select ctid from events where session = ${session} and seq between ${from_seq} and ${to_seq}
      and run_id = ${run_id} and event_type in ('text_delta', 'reasoning_delta') order by seq limit ${limit}`;
}

async function hasDeltas(db: Sql, message: Streamed): Promise<boolean> {
  return (await deltas(message, 1).execute(db)).rows.length > 0;
}

async function removeDeltas(db: Sql, message: Streamed, limit: number): Promise<number> {
  const { numAffectedRows } =
    await sql`delete from events where ctid = any (array(${deltas(message, limit)}))`.execute(db);
  return Number(numAffectedRows ?? 0);
}

async function nextOld(db: Sql, createdBefore: number): Promise<Old | undefined> {
  return db
    .selectFrom('sessions')
    .select(['position', 'floor_seq'])
    .where('deleted_at', 'is', null)
    .where('kept_since', 'is not', null)
    .where('kept_since', '<', createdBefore)
    .orderBy('kept_since')
    .limit(1)
    .forNoKeyUpdate()
    .skipLocked()
    .executeTakeFirst();
}

/** The number of removed events. Whatever it is, the session is looked at again only when there is more to remove. */
async function pruneSession(
  db: Sql,
  { position: session, floor_seq }: Old,
  createdBefore: number,
  limit: number,
): Promise<number> {
  const unfinished = await db
    .selectFrom('runs')
    .select('accepted_seq')
    .where('session', '=', session)
    .where('finished_at', 'is', null)
    .orderBy('accepted_seq')
    .limit(1)
    .executeTakeFirst();
  const oldest = await db
    .selectFrom('events')
    .select(['seq', 'created_at'])
    .where('session', '=', session)
    .where('seq', '<', unfinished?.accepted_seq ?? Number.MAX_SAFE_INTEGER)
    .orderBy('seq')
    .limit(limit + 1)
    .execute();
  const kept = oldest.findIndex(({ created_at }) => created_at >= createdBefore);
  const removed = Math.min(kept === -1 ? oldest.length : kept, limit);
  const floor = oldest[removed - 1]?.seq ?? floor_seq;
  if (removed > 0) {
    await db.deleteFrom('events').where('session', '=', session).where('seq', '<=', floor).execute();
    await db.deleteFrom('event_ids').where('session', '=', session).where('seq', '<=', floor).execute();
  }
  await db
    .updateTable('sessions')
    .set({ floor_seq: floor, kept_since: oldest[removed]?.created_at ?? null })
    .where('position', '=', session)
    .execute();
  return removed;
}
