import { sql } from 'kysely';
import { IMPORTING } from '../transfers.ts';
import type { Database, Sql } from './database.ts';

/** What belongs to a session. Files come before their pieces: who still writes to one is refused from then on. */
const PARTS = [
  'events',
  'event_ids',
  'messages',
  'runs',
  'requests',
  'session_metadata',
  'files',
  'file_pieces',
] as const;
/** Of files; one is as large as many rows of other kinds. */
const MAX_PIECES = 64;

/** Removes what deleted sessions and broken imports have left, in slices, so that no transaction is long. */
export class Purge {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Removes at most `limit` rows; true while there is more that no other process removes. */
  slice(limit: number): Promise<boolean> {
    return this.#database.transaction(async (db) => {
      let left = limit;
      for (let session = await next(db); session !== undefined; session = await next(db)) {
        for (const part of PARTS) {
          const most = part === 'file_pieces' ? Math.min(left, MAX_PIECES) : left;
          const removed = most > 0 ? await remove(db, part, session, most) : 0;
          if (removed === MAX_PIECES && part === 'file_pieces') return true;
          left -= removed;
        }
        // The row of the session goes last, so that what is left of it is found again.
        if (left === 0) return true;
        await db.deleteFrom('sessions').where('position', '=', session).execute();
        left--;
      }
      return false;
    });
  }
}

async function next(db: Sql): Promise<number | undefined> {
  const row = await db
    .selectFrom('sessions')
    .select('position')
    .where('deleted_at', 'is not', null)
    .where((eb) => eb.or([eb('head_seq', '!=', sql.lit(IMPORTING)), eb('deleted_at', '<=', Date.now())]))
    .orderBy('deleted_at')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  return row?.position;
}

async function remove(
  db: Sql,
  table: (typeof PARTS)[number],
  session: number,
  limit: number,
): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from ${sql.table(table)} where ctid = any (array(
      select ctid from ${sql.table(table)} where session = ${session} limit ${limit}
    ))
  `.execute(db);
  return Number(numAffectedRows ?? 0);
}
