import { ApiError } from '@llmgine/protocol';
import { MAX_PIECE_SIZE } from '../storage/files.ts';
import type { FileRow, IdempotencyRecord, NewFile, SessionKey, Storage } from '../storage/types.ts';
import type { AudioReader } from './audio/reader.ts';
import type { SteadyClock } from './steady-clock.ts';

/** Bytes that wait for their commit before whoever sends them should wait. */
const MAX_WAITING = 4 * MAX_PIECE_SIZE;
/** The first buffer: most recordings come slowly, and many may come at once. */
const FIRST_BUFFER = 4096;

export interface FileUploadOptions {
  readonly storage: Storage;
  readonly sessions: {
    touch(key: SessionKey): void;
    fileBegun(): void;
    fileRemoved(): void;
  };
  readonly clock: SteadyClock;
  /** Bytes of a recording. */
  readonly maxSize: number;
  /** Seconds of a recording. */
  readonly maxDuration: number;
  readonly report: (stage: string, error: unknown) => void;
}

export interface FileUploadParts extends FileUploadOptions {
  readonly key: SessionKey;
  readonly file: NewFile;
  readonly audio: AudioReader;
  /** It was completed, or is removed as far as that goes: nothing happens to it any more. */
  readonly onSettled: (upload: FileUpload) => void;
}

/**
 * A file on its way into the storage. Bytes become pieces of one size, however they come, and each piece is committed by
 * itself. What fails, or is aborted, leaves nothing.
 */
export class FileUpload {
  readonly #parts: FileUploadParts;
  #buffer = Buffer.allocUnsafe(FIRST_BUFFER);
  #buffered = 0;
  readonly #queue: Buffer[] = [];
  #received = 0;
  #committed = 0;
  #working: Promise<void> | null = null;
  #failure: ApiError | null = null;
  #removed: Promise<void> | null = null;
  /** It is being completed, or is: what fails then may have succeeded all the same. */
  #ended = false;
  /** Those that wait for room. */
  #waiting: PromiseWithResolvers<void> | null = null;

  constructor(parts: FileUploadParts) {
    this.#parts = parts;
  }

  get fileId(): string {
    return this.#parts.file.fileId;
  }

  /** Takes bytes, which may change later. Throws `MESSAGE_TOO_LARGE`, and what went wrong before. */
  write(bytes: Uint8Array): void {
    if (this.#failure) throw this.#failure;
    const { key, file, maxSize, sessions } = this.#parts;
    sessions.touch(key);
    this.#received += bytes.length;
    if (this.#received > Math.min(maxSize, file.room)) throw this.#fail(tooLarge(maxSize));
    for (let from = 0; from < bytes.length; ) {
      this.#makeRoom(bytes.length - from);
      const part = bytes.subarray(from, from + this.#buffer.length - this.#buffered);
      this.#buffer.set(part, this.#buffered);
      this.#buffered += part.length;
      from += part.length;
      if (this.#buffered === MAX_PIECE_SIZE) this.#flush();
    }
  }

  /** Whether its sender may go on at once. */
  get hasRoom(): boolean {
    return this.#failure !== null || this.#received - this.#committed <= MAX_WAITING;
  }

  /** Resolves when its sender should go on; rejects with what went wrong. */
  async room(): Promise<void> {
    while (!this.hasRoom) {
      this.#waiting ??= Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
    if (this.#failure) throw this.#failure;
  }

  /**
   * All bytes have come: the file is there when it resolves. `keep` makes the record of what the caller is answered.
   * Throws `VALIDATION_ERROR` when it is no recording, not what was declared or too long, `SESSION_NOT_FOUND`,
   * `IDEMPOTENCY_IN_PROGRESS` when there is a record already, and what went wrong before.
   */
  async end(keep?: (file: FileRow) => IdempotencyRecord | undefined): Promise<FileRow> {
    try {
      if (this.#buffered > 0) this.#flush();
      await this.#working;
      if (this.#failure) throw this.#failure;
      return await this.#complete(keep);
    } catch (error) {
      const failure = this.#fail(error);
      await this.#removed;
      throw failure;
    }
  }

  /** Nothing of it is left when it resolves, unless it has ended already. Never rejects. */
  async abort(): Promise<void> {
    this.#fail(new ApiError('VALIDATION_ERROR', 'The recording was broken off'));
    await this.#removed;
  }

  async #complete(keep?: (file: FileRow) => IdempotencyRecord | undefined): Promise<FileRow> {
    const { key, file, audio, storage, clock, maxDuration, sessions } = this.#parts;
    const { mimeType, duration } = await audio.end();
    if (this.#failure) throw this.#failure;
    if (duration !== null && duration > maxDuration) {
      throw new ApiError('VALIDATION_ERROR', `A recording has at most ${maxDuration} seconds`);
    }
    const { fileId, createdAt } = file;
    const row: FileRow = { ...key, fileId, mimeType, size: this.#committed, duration, createdAt };
    const at = Math.round(clock.now());
    this.#ended = true;
    const completed = await storage.files
      .complete(key, fileId, { mimeType, duration, at }, keep?.(row))
      .catch((error: unknown) => this.#lookUp(error));
    this.#ended = completed === 'completed';
    if (completed === 'idempotency_exists') throw new ApiError('IDEMPOTENCY_IN_PROGRESS');
    if (completed === 'not_open') throw gone();
    this.#parts.onSettled(this);
    sessions.touch(key);
    return row;
  }

  /** The commit may have been done although nobody heard of it: the file is there then, and so is what is kept with it. */
  async #lookUp(error: unknown): Promise<'completed'> {
    const { key, file, storage } = this.#parts;
    if (await storage.files.get(key, file.fileId)) return 'completed';
    throw error;
  }

  /** For so many bytes, or for as many as a piece has. */
  #makeRoom(bytes: number): void {
    const needed = Math.min(this.#buffered + bytes, MAX_PIECE_SIZE);
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.min(Math.max(needed, 2 * this.#buffer.length), MAX_PIECE_SIZE));
    this.#buffer.copy(larger, 0, 0, this.#buffered);
    this.#buffer = larger;
  }

  #flush(): void {
    this.#queue.push(this.#buffer.subarray(0, this.#buffered));
    this.#buffer = Buffer.allocUnsafe(FIRST_BUFFER);
    this.#buffered = 0;
    this.#working ??= this.#work();
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    const { key, file, audio, storage, clock } = this.#parts;
    try {
      for (let bytes = this.#queue.shift(); bytes && !this.#failure; bytes = this.#queue.shift()) {
        const piece = { start: this.#committed, bytes, writtenAt: Math.round(clock.now()) };
        if (!(await storage.files.write(key, file.fileId, piece))) throw gone();
        await audio.feed(bytes);
        this.#committed += bytes.length;
        this.#wake();
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#working = null;
    }
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  /** The first failure is what everybody is told. */
  #fail(error: unknown): ApiError {
    this.#failure ??=
      error instanceof ApiError ? error : new ApiError('INTERNAL_ERROR', undefined, { cause: error });
    this.#queue.length = 0;
    this.#parts.audio.stop();
    if (this.#ended) this.#parts.onSettled(this);
    else this.#removed ??= this.#remove();
    this.#wake();
    return this.#failure;
  }

  /** What is left when the storage fails goes later, as what dead processes leave. */
  async #remove(): Promise<void> {
    const { key, file, storage, sessions, report } = this.#parts;
    try {
      // What is under way would come after it.
      await this.#working;
      await storage.files.remove(key, file.fileId);
      sessions.fileRemoved();
    } catch (error) {
      report('remove a broken off file', error);
    } finally {
      this.#parts.onSettled(this);
    }
  }
}

export function tooLarge(maxSize: number): ApiError {
  return new ApiError('MESSAGE_TOO_LARGE', `A recording has at most ${maxSize} bytes`);
}

/** With its session, or because it was not continued for too long. */
function gone(): ApiError {
  return new ApiError('SESSION_NOT_FOUND', 'The recording is gone, with its session or because nothing came');
}
