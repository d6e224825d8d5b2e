/** Files of sessions: what clients send that is too large for a message. */
import type { IdempotencyRecord, SessionKey } from './rows.ts';

/** Bytes of a piece at most. One piece is one commit, and is read as a whole. */
export const MAX_PIECE_SIZE = 65_536;

export interface FileRow extends SessionKey {
  readonly fileId: string;
  /** What its bytes say. */
  readonly mimeType: string;
  /** Bytes. */
  readonly size: number;
  /** Seconds; null where nobody can tell. */
  readonly duration: number | null;
  readonly createdAt: number;
}

export interface NewFile {
  readonly fileId: string;
  /** Bytes that it counts as until it is complete. */
  readonly room: number;
  readonly createdAt: number;
}

/** Of one session, with those that are not complete. */
export interface FileLimits {
  readonly maxFiles: number;
  readonly maxBytes: number;
}

export interface FilePiece {
  /** Where it begins in the file. */
  readonly start: number;
  /** At most `MAX_PIECE_SIZE`, at least one. */
  readonly bytes: Uint8Array;
  readonly writtenAt: number;
}

/**
 * A file is begun, written piece by piece by one writer, and completed. Until then nobody finds it. What is not complete,
 * and was not written for a while, is what a dead process or a client that is gone has left: it goes with `purge`.
 */
export interface FileStorage {
  /** `full` when the session would have more than `limits` allow; nothing was made then. */
  begin(key: SessionKey, file: NewFile, limits: FileLimits): Promise<'begun' | 'full' | 'session_not_found'>;
  /**
   * Adds a piece at the end of a file that is not complete; false when there is no such file, or its end is elsewhere. The
   * same piece again changes nothing and is no error.
   */
  write(key: SessionKey, fileId: string, piece: FilePiece): Promise<boolean>;
  /**
   * The file is there from now on, in the same transaction as the record. `idempotency_exists` when there is a record of
   * this key; the file is as it was then.
   */
  complete(
    key: SessionKey,
    fileId: string,
    file: Pick<FileRow, 'mimeType' | 'duration'> & { readonly at: number },
    idempotency?: IdempotencyRecord,
  ): Promise<'completed' | 'not_open' | 'idempotency_exists'>;
  /** Null unless it is complete. */
  get(key: SessionKey, fileId: string): Promise<FileRow | null>;
  /** The piece of a complete file that begins at `start`; null when there is none. */
  read(key: SessionKey, fileId: string, start: number): Promise<Uint8Array | null>;
  /**
   * The file is gone from every query at once, complete or not; false when it was not there. Its bytes go with `purge`. A
   * record that is there already is left as it is.
   */
  remove(key: SessionKey, fileId: string, idempotency?: IdempotencyRecord): Promise<boolean>;
  /**
   * Removes at most `limit` pieces of what was removed, or not completed nor written since, where a file counts as one
   * more; true while there may be more.
   */
  purge(writtenBefore: number, limit: number): Promise<boolean>;
  /** When the first of them was written; 0 for what was removed, null when there is none. */
  nextPurge(): Promise<number | null>;
}
