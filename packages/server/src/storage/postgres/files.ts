import type { Selectable } from 'kysely';
import type { FilesTable } from '../tables.ts';
import type { FileRow, FileStorage, IdempotencyRecord, SessionKey } from '../types.ts';
import type { Database, Sql } from './database.ts';
import { FileWrites } from './file-writes.ts';
import { positionOf } from './session-row.ts';
import { decode, encode } from './text.ts';

type Work = <Result>(work: () => Promise<Result>) => Promise<Result>;

export interface FilesParts {
  /** Translates what goes wrong. */
  readonly run: Work;
  /** The same, for what may be done twice. */
  readonly again: Work;
}

/** See `FileStorage`. */
export class Files implements FileStorage {
  readonly #sql: Sql;
  readonly #writes: FileWrites;
  readonly #run: Work;
  readonly #again: Work;

  constructor(database: Database, { run, again }: FilesParts) {
    this.#sql = database.sql;
    this.#writes = new FileWrites(database);
    this.#run = run;
    this.#again = again;
  }

  async begin(...[key, file, limits]: Parameters<FileStorage['begin']>) {
    return this.#run(() => this.#writes.begin(key, file, limits));
  }

  async write(...[key, fileId, piece]: Parameters<FileStorage['write']>): Promise<boolean> {
    return this.#again(() => this.#writes.write(key, fileId, piece));
  }

  async complete(...[key, fileId, file, idempotency]: Parameters<FileStorage['complete']>) {
    return this.#run(() => this.#writes.complete(key, fileId, file, idempotency));
  }

  async get(key: SessionKey, fileId: string): Promise<FileRow | null> {
    const row = await this.#again(() => this.#of(key, fileId).selectAll().executeTakeFirst());
    return row ? toFile(row, key) : null;
  }

  async read(key: SessionKey, fileId: string, start: number): Promise<Uint8Array | null> {
    const row = await this.#again(() =>
      this.#of(key, fileId)
        .innerJoin('file_pieces as p', (join) =>
          join.onRef('p.session', '=', 'f.session').onRef('p.file_id', '=', 'f.file_id'),
        )
        .select('p.bytes')
        .where('p.start', '=', start)
        .executeTakeFirst(),
    );
    return row?.bytes ?? null;
  }

  async remove(key: SessionKey, fileId: string, idempotency?: IdempotencyRecord): Promise<boolean> {
    return this.#run(() => this.#writes.remove(key, fileId, idempotency));
  }

  async purge(writtenBefore: number, limit: number): Promise<boolean> {
    return this.#run(() => this.#writes.purge(writtenBefore, limit));
  }

  async nextPurge(): Promise<number | null> {
    const row = await this.#again(() =>
      this.#sql
        .selectFrom('files')
        .select('written_at')
        .where('completed_at', 'is', null)
        .orderBy('written_at')
        .limit(1)
        .executeTakeFirst(),
    );
    return row?.written_at ?? null;
  }

  #of(key: SessionKey, fileId: string) {
    return this.#sql
      .selectFrom('files as f')
      .where('f.session', '=', positionOf(this.#sql, key))
      .where('f.file_id', '=', encode(fileId))
      .where('f.completed_at', 'is not', null);
  }
}

function toFile(row: Selectable<FilesTable>, { tenantId, ownerId, sessionId }: SessionKey): FileRow {
  return {
    tenantId,
    ownerId,
    sessionId,
    fileId: decode(row.file_id),
    mimeType: decode(row.mime_type),
    size: row.size,
    duration: row.duration,
    createdAt: row.created_at,
  };
}
