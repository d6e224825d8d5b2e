import { sql } from 'kysely';
import type { FileLimits, FilePiece, FileStorage, IdempotencyRecord, NewFile, SessionKey } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { Idempotency } from './idempotency.ts';
import type { Sessions } from './sessions.ts';

type FileArgs = { session: number; fileId: string };
type PieceArgs = FileArgs & { start: number; end: number; at: number };
type Completion = Parameters<FileStorage['complete']>[2];

/** All that changes files. Each method is one transaction. */
export class FileWrites {
  readonly #database: Database;
  readonly #sessions: Sessions;
  readonly #idempotency: Idempotency;
  readonly #used: Prepared<{ session: number }, { files: number; room: number }>;
  readonly #insert: Prepared<FileArgs & { room: number; at: number }, unknown>;
  readonly #grow: Prepared<PieceArgs, unknown>;
  readonly #has: Prepared<FileArgs & { end: number }, unknown>;
  readonly #insertPiece: Prepared<FileArgs & { start: number; bytes: Uint8Array }, unknown>;
  readonly #complete: Prepared<FileArgs & Completion, unknown>;
  readonly #remove: Prepared<FileArgs, unknown>;
  readonly #next: Prepared<{ before: number }, { session: number; file_id: string }>;
  readonly #deletePieces: Prepared<FileArgs & { limit: number }, unknown>;
  readonly #delete: Prepared<FileArgs, unknown>;

  constructor(database: Database, parts: { readonly sessions: Sessions; readonly idempotency: Idempotency }) {
    this.#database = database;
    this.#sessions = parts.sessions;
    this.#idempotency = parts.idempotency;
    const db = database.sql;
    this.#used = database.prepare((p: { session: number }) =>
      db
        .selectFrom('files')
        .select(({ fn }) => [
          fn.countAll<number>().as('files'),
          sql<number>`coalesce(sum(room), 0)`.as('room'),
        ])
        .where('session', '=', p.session)
        .where('written_at', '>', 0),
    );
    this.#insert = database.prepare((p: FileArgs & { room: number; at: number }) =>
      db.insertInto('files').values({
        session: p.session,
        file_id: p.fileId,
        created_at: p.at,
        written_at: p.at,
        completed_at: null,
        size: 0,
        room: p.room,
        duration: null,
        mime_type: '',
      }),
    );
    const file = (p: FileArgs) =>
      db.updateTable('files').where('session', '=', p.session).where('file_id', '=', p.fileId);
    const open = (p: FileArgs) => file(p).where('completed_at', 'is', null).where('written_at', '>', 0);
    this.#grow = database.prepare((p: PieceArgs) =>
      open(p).where('size', '=', p.start).set({ size: p.end, written_at: p.at }),
    );
    this.#has = database.prepare((p: FileArgs & { end: number }) =>
      db
        .selectFrom('files')
        .select(sql.lit(1).as('one'))
        .where('session', '=', p.session)
        .where('file_id', '=', p.fileId)
        .where('completed_at', 'is', null)
        .where('written_at', '>', 0)
        .where('size', '=', p.end),
    );
    this.#insertPiece = database.prepare((p: FileArgs & { start: number; bytes: Uint8Array }) =>
      db
        .insertInto('file_pieces')
        .values({ session: p.session, file_id: p.fileId, start: p.start, bytes: p.bytes }),
    );
    this.#complete = database.prepare((p: FileArgs & Completion) =>
      open(p).set({
        completed_at: p.at,
        room: sql.ref('size'),
        mime_type: p.mimeType,
        duration: p.duration,
      }),
    );
    this.#remove = database.prepare((p: FileArgs) =>
      file(p).where('written_at', '>', 0).set({ completed_at: null, written_at: 0, room: 0 }),
    );
    this.#next = database.prepare((p: { before: number }) =>
      db
        .selectFrom('files')
        .select(['session', 'file_id'])
        .where('completed_at', 'is', null)
        .where('written_at', '<', p.before)
        .orderBy('written_at')
        .limit(sql.lit(1)),
    );
    this.#deletePieces = database.prepare((p: FileArgs & { limit: number }) => {
      const of = (query: ReturnType<typeof db.selectFrom<'file_pieces'>>) =>
        query.where('session', '=', p.session).where('file_id', '=', p.fileId);
      return db
        .deleteFrom('file_pieces')
        .where('session', '=', p.session)
        .where('file_id', '=', p.fileId)
        .where('start', 'in', of(db.selectFrom('file_pieces')).select('start').limit(p.limit));
    });
    this.#delete = database.prepare((p: FileArgs) =>
      db.deleteFrom('files').where('session', '=', p.session).where('file_id', '=', p.fileId),
    );
  }

  begin(
    key: SessionKey,
    { fileId, room, createdAt: at }: NewFile,
    { maxFiles, maxBytes }: FileLimits,
  ): 'begun' | 'full' | 'session_not_found' {
    return this.#database.transaction(() => {
      const session = this.#sessions.find(key)?.position;
      if (session === undefined) return 'session_not_found';
      const used = this.#used.get({ session }) ?? { files: 0, room: 0 };
      if (used.files >= maxFiles || used.room + room > maxBytes) return 'full';
      this.#insert.run({ session, fileId, room, at });
      return 'begun';
    });
  }

  write(key: SessionKey, fileId: string, { start, bytes, writtenAt: at }: FilePiece): boolean {
    return this.#database.transaction(() => {
      const session = this.#sessions.find(key)?.position;
      if (session === undefined) return false;
      const end = start + bytes.length;
      const grown = this.#grow.run({ session, fileId, start, end, at }) > 0;
      if (!grown) return this.#has.get({ session, fileId, end }) !== undefined;
      this.#insertPiece.run({ session, fileId, start, bytes });
      return true;
    });
  }

  complete(
    key: SessionKey,
    fileId: string,
    file: Completion,
    idempotency?: IdempotencyRecord,
  ): 'completed' | 'not_open' | 'idempotency_exists' {
    return this.#database.transaction(() => {
      if (idempotency && this.#idempotency.has(idempotency)) return 'idempotency_exists';
      const session = this.#sessions.find(key)?.position;
      if (session === undefined) return 'not_open';
      if (this.#complete.run({ session, fileId, ...file }) === 0) return 'not_open';
      if (idempotency) this.#idempotency.keep(idempotency);
      return 'completed';
    });
  }

  remove(key: SessionKey, fileId: string, idempotency?: IdempotencyRecord): boolean {
    return this.#database.transaction(() => {
      const session = this.#sessions.find(key)?.position;
      if (session === undefined || this.#remove.run({ session, fileId }) === 0) return false;
      if (idempotency) this.#idempotency.keep(idempotency);
      return true;
    });
  }

  purge(writtenBefore: number, limit: number): boolean {
    return this.#database.transaction(() => {
      let left = limit;
      for (let row = this.#next.get({ before: writtenBefore }); row; ) {
        const file = { session: row.session, fileId: row.file_id };
        // Its writer, should there be one, must not go on with half of it.
        this.#remove.run(file);
        left -= this.#deletePieces.run({ ...file, limit: left });
        if (left <= 0) return true;
        left -= this.#delete.run(file);
        if (left <= 0) return true;
        row = this.#next.get({ before: writtenBefore });
      }
      return false;
    });
  }
}
