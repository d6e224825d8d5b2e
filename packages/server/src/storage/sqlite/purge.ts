import { sql } from 'kysely';
import { IMPORTING } from '../transfers.ts';
import type { Database, Prepared } from './database.ts';

/** What belongs to a session, each with the column that tells its rows apart inside one. */
const PARTS = [
  ['events', 'seq'],
  ['event_ids', 'event_id'],
  ['messages', 'seq'],
  ['runs', 'run_id'],
  ['requests', 'request_id'],
  ['session_metadata', 'key'],
  // Before its pieces: who still writes to it is refused from then on.
  ['files', 'file_id'],
] as const;

/** Of files; one is as large as many rows of other kinds. */
const MAX_PIECES = 64;

/** Removes what deleted sessions and broken imports have left, in slices, because the whole process waits for each. */
export class Purge {
  readonly #database: Database;
  readonly #next: Prepared<{ now: number }, { position: number }>;
  readonly #parts: readonly Prepared<{ session: number; limit: number }, unknown>[];
  readonly #pieces: Prepared<{ session: number; limit: number }, unknown>;
  readonly #session: Prepared<{ session: number }, unknown>;

  constructor(database: Database) {
    this.#database = database;
    const db = database.sql;
    this.#next = database.prepare((p: { now: number }) =>
      db
        .selectFrom('sessions')
        .select('position')
        .where('deleted_at', 'is not', null)
        .where((eb) => eb.or([eb('head_seq', '!=', sql.lit(IMPORTING)), eb('deleted_at', '<=', p.now)]))
        .orderBy('deleted_at')
        .limit(1),
    );
    const part = (table: string, column: string) =>
      database.prepare((p: { session: number; limit: number }) => {
        const slice = sql`delete from ${sql.table(table)} where session = ${p.session} and ${sql.ref(column)} in
          (select ${sql.ref(column)} from ${sql.table(table)} where session = ${p.session} limit ${p.limit})`;
        return { compile: () => slice.compile(db) };
      });
    this.#parts = PARTS.map(([table, column]) => part(table, column));
    this.#pieces = part('file_pieces', 'rowid');
    this.#session = database.prepare((p: { session: number }) =>
      db.deleteFrom('sessions').where('position', '=', p.session),
    );
  }

  /** Removes at most `limit` rows; true while there is more. */
  slice(limit: number): boolean {
    return this.#database.transaction(() => {
      let left = limit;
      const now = Date.now();
      for (let next = this.#next.get({ now }); next; next = this.#next.get({ now })) {
        const session = next.position;
        for (const part of this.#parts) left -= part.run({ session, limit: left });
        const pieces = this.#pieces.run({ session, limit: Math.min(left, MAX_PIECES) });
        if (pieces === MAX_PIECES) return true;
        left -= pieces;
        // The row of the session goes last, so that what is left of it is found again.
        if (left === 0) return true;
        left -= this.#session.run({ session });
      }
      return false;
    });
  }
}
