import { sql } from 'kysely';
import type { FileLimits, FilePiece, FileStorage, IdempotencyRecord, NewFile, SessionKey } from '../types.ts';
import type { Database, Sql } from './database.ts';
import { violates } from './errors.ts';
import { IDEMPOTENCY_KEY, idempotencyColumns, keepAnswers } from './idempotency.ts';
import { ofKey, positionOf } from './session-row.ts';
import { encode } from './text.ts';

/** All that changes files. Each method is one transaction. */
export class FileWrites {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  begin(
    key: SessionKey,
    { fileId, room, createdAt: at }: NewFile,
    { maxFiles, maxBytes }: FileLimits,
  ): Promise<'begun' | 'full' | 'session_not_found'> {
    return this.#database.transaction(async (db) => {
      // The lock lets those that begin files of this session wait for each other.
      const found = await ofKey(db, key).select('s.position').forNoKeyUpdate().executeTakeFirst();
      if (!found) return 'session_not_found';
      const session = found.position;
      const used = await db
        .selectFrom('files')
        .select(({ fn }) => fn.countAll<number>().as('files'))
        .select(sql<number>`coalesce(sum(room), 0)::bigint`.as('room'))
        .where('session', '=', session)
        .where('written_at', '>', 0)
        .executeTakeFirstOrThrow();
      if (used.files >= maxFiles || used.room + room > maxBytes) return 'full';
      await sql`
        insert into files (session, file_id, created_at, written_at, size, room, mime_type)
        values (${session}, ${encode(fileId)}, ${at}, ${at}, 0, ${room}, '')
      `.execute(db);
      return 'begun';
    });
  }

  async write(key: SessionKey, fileId: string, piece: FilePiece): Promise<boolean> {
    const db = this.#database.sql;
    const { start, bytes, writtenAt } = piece;
    const end = start + bytes.length;
    const { rows } = await sql`
      with file as (
        update files set size = ${end}, written_at = ${writtenAt}
        where session = (${positionOf(db, key)}) and file_id = ${encode(fileId)}
          and completed_at is null and written_at > 0 and size = ${start}
        returning session, file_id
      )
      insert into file_pieces (session, file_id, start, bytes)
      select session, file_id, ${start}::bigint, ${bytes}::bytea from file
      returning 1
    `.execute(db);
    return rows.length > 0 || this.#has(key, fileId, end);
  }

  /** Whether a piece is there already that ends the file here: its writer did not hear of it. */
  async #has(key: SessionKey, fileId: string, end: number): Promise<boolean> {
    const db = this.#database.sql;
    const row = await db
      .selectFrom('files')
      .select('size')
      .where('session', '=', positionOf(db, key))
      .where('file_id', '=', encode(fileId))
      .where('completed_at', 'is', null)
      .where('written_at', '>', 0)
      .executeTakeFirst();
    return row?.size === end;
  }

  async complete(
    key: SessionKey,
    fileId: string,
    { mimeType, duration, at }: Parameters<FileStorage['complete']>[2],
    idempotency?: IdempotencyRecord,
  ): Promise<'completed' | 'not_open' | 'idempotency_exists'> {
    try {
      return await this.#database.transaction(async (db) => {
        const { rows } = await sql`
          update files set completed_at = ${at}, room = size, mime_type = ${encode(mimeType)}, duration = ${duration}
          where session = (${positionOf(db, key)}) and file_id = ${encode(fileId)}
            and completed_at is null and written_at > 0
          returning 1
        `.execute(db);
        if (rows.length === 0) return 'not_open';
        if (idempotency) await keepAnswers(db, [idempotencyColumns(idempotency)]);
        return 'completed';
      });
    } catch (error) {
      if (violates(error, IDEMPOTENCY_KEY)) return 'idempotency_exists';
      throw error;
    }
  }

  remove(key: SessionKey, fileId: string, idempotency?: IdempotencyRecord): Promise<boolean> {
    return this.#database.transaction(async (db) => {
      const { rows } = await sql`
        update files set completed_at = null, written_at = 0, room = 0
        where session = (${positionOf(db, key)}) and file_id = ${encode(fileId)} and written_at > 0
        returning 1
      `.execute(db);
      if (rows.length === 0) return false;
      if (idempotency) await keepOnce(db, idempotency);
      return true;
    });
  }

  /** Leaves what another process removes already to it. */
  purge(writtenBefore: number, limit: number): Promise<boolean> {
    return this.#database.transaction(async (db) => {
      let left = limit;
      for (;;) {
        const { rows } = await sql<{ session: number; file_id: string }>`
          select session, file_id from files where completed_at is null and written_at < ${writtenBefore}
          order by written_at limit 1 for update skip locked
        `.execute(db);
        const [file] = rows;
        if (!file) return false;
        const { session, file_id } = file;
        // Its writer, should there be one, must not go on with half of it.
        await sql`update files set written_at = 0, room = 0
          where session = ${session} and file_id = ${file_id} and written_at > 0`.execute(db);
        const removed = await sql`delete from file_pieces where ctid = any (array(
            select ctid from file_pieces where session = ${session} and file_id = ${file_id} limit ${left}
          ))`.execute(db);
        left -= Number(removed.numAffectedRows ?? 0);
        if (left <= 0) return true;
        await sql`delete from files where session = ${session} and file_id = ${file_id}`.execute(db);
        left--;
        if (left <= 0) return true;
      }
    });
  }
}

/** Inside a transaction. A record that is there already is left as it is. */
async function keepOnce(db: Sql, record: IdempotencyRecord): Promise<void> {
  await db
    .insertInto('idempotency')
    .values(idempotencyColumns(record))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
