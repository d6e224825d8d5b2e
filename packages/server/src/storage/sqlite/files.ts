import { type Selectable, sql } from 'kysely';
import type { FilesTable } from '../tables.ts';
import type { FileRow, FileStorage, IdempotencyRecord, SessionKey } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import { FileWrites } from './file-writes.ts';
import type { Idempotency } from './idempotency.ts';
import type { Room } from './room.ts';
import type { Sessions } from './sessions.ts';

type File = Selectable<FilesTable>;
type FileArgs = { session: number; fileId: string };

export interface FilesParts {
  readonly sessions: Sessions;
  readonly idempotency: Idempotency;
  readonly room: Room;
  /** Translates what goes wrong. */
  readonly run: <Result>(work: () => Result) => Result;
}

/** See `FileStorage`. */
export class Files implements FileStorage {
  readonly #sessions: Sessions;
  readonly #writes: FileWrites;
  readonly #room: Room;
  readonly #run: FilesParts['run'];
  readonly #get: Prepared<FileArgs, File>;
  readonly #read: Prepared<FileArgs & { start: number }, { bytes: Uint8Array }>;
  readonly #next: Prepared<object, { written_at: number }>;

  constructor(database: Database, { sessions, idempotency, room, run }: FilesParts) {
    this.#sessions = sessions;
    this.#writes = new FileWrites(database, { sessions, idempotency });
    this.#room = room;
    this.#run = run;
    const db = database.sql;
    this.#get = database.prepare((p: FileArgs) =>
      db
        .selectFrom('files')
        .selectAll()
        .where('session', '=', p.session)
        .where('file_id', '=', p.fileId)
        .where('completed_at', 'is not', null),
    );
    this.#read = database.prepare((p: FileArgs & { start: number }) =>
      db
        .selectFrom('file_pieces')
        .select('bytes')
        .where('session', '=', p.session)
        .where('file_id', '=', p.fileId)
        .where('start', '=', p.start),
    );
    this.#next = database.prepare(() =>
      db
        .selectFrom('files')
        .select('written_at')
        .where('completed_at', 'is', null)
        .orderBy('written_at')
        .limit(sql.lit(1)),
    );
  }

  async begin(...[key, file, limits]: Parameters<FileStorage['begin']>) {
    return this.#run(() => this.#room.take(() => this.#writes.begin(key, file, limits)));
  }

  async write(...[key, fileId, piece]: Parameters<FileStorage['write']>): Promise<boolean> {
    return this.#run(() => this.#room.take(() => this.#writes.write(key, fileId, piece)));
  }

  async complete(...[key, fileId, file, idempotency]: Parameters<FileStorage['complete']>) {
    return this.#run(() => this.#room.take(() => this.#writes.complete(key, fileId, file, idempotency)));
  }

  async get(key: SessionKey, fileId: string): Promise<FileRow | null> {
    return this.#run(() => {
      const session = this.#sessions.find(key);
      const row = session && this.#get.get({ session: session.position, fileId });
      return row ? toFile(row, key) : null;
    });
  }

  async read(key: SessionKey, fileId: string, start: number): Promise<Uint8Array | null> {
    return this.#run(() => {
      const session = this.#sessions.find(key);
      const args = session && { session: session.position, fileId };
      // What is not complete is not there.
      if (!args || !this.#get.get(args)) return null;
      return this.#read.get({ ...args, start })?.bytes ?? null;
    });
  }

  async remove(key: SessionKey, fileId: string, idempotency?: IdempotencyRecord): Promise<boolean> {
    return this.#run(() => this.#room.make(() => this.#writes.remove(key, fileId, idempotency)));
  }

  async purge(writtenBefore: number, limit: number): Promise<boolean> {
    return this.#run(() => this.#room.make(() => this.#writes.purge(writtenBefore, limit)));
  }

  async nextPurge(): Promise<number | null> {
    return this.#run(() => this.#next.get({})?.written_at ?? null);
  }
}

function toFile(row: File, { tenantId, ownerId, sessionId }: SessionKey): FileRow {
  return {
    tenantId,
    ownerId,
    sessionId,
    fileId: row.file_id,
    mimeType: row.mime_type,
    size: row.size,
    duration: row.duration,
    createdAt: row.created_at,
  };
}
