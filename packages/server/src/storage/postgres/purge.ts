import { sql } from 'kysely';
import type { Database, Sql } from './database.ts';

/** What belongs to a session. */
const PARTS = ['events', 'event_ids', 'messages', 'runs', 'requests', 'session_metadata'] as const;

/** Removes what deleted sessions have left, in slices, so that no transaction is long. */
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
          if (left > 0) left -= await remove(db, part, session, left);
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
