/** FileService: recordings that clients send to a session. */
import { ApiError, type AudioAccepted, type FileInfo } from '@llmgine/protocol';
import { nanoid } from 'nanoid';
import type { FileRow, IdempotencyRecord, SessionKey } from '../storage/types.ts';
import { AudioReader } from './audio/reader.ts';
import { AUDIO_NAMES, declaredType } from './audio/types.ts';
import { FileUpload, type FileUploadOptions, tooLarge } from './file-upload.ts';
import { readFile } from './read-file.ts';

/** Of one session. */
const MAX_FILES = 1000;
const MAX_BYTES = 1_073_741_824;

export class FileService {
  readonly #options: FileUploadOptions;
  readonly #open = new Set<FileUpload>();

  constructor(options: FileUploadOptions) {
    this.#options = options;
  }

  /**
   * Begins a recording. `size` is how many bytes will come, where that is known. Throws `VALIDATION_ERROR` for a type that
   * is not taken, `MESSAGE_TOO_LARGE`, `RESOURCE_LIMIT_EXCEEDED` when the session has too many files, and
   * `SESSION_NOT_FOUND`.
   */
  async begin(
    { tenantId, ownerId, sessionId }: SessionKey,
    mimeType: string,
    size?: number,
  ): Promise<FileUpload> {
    const { storage, sessions, clock, maxSize } = this.#options;
    if (declaredType(mimeType) === null) throw notTaken(mimeType);
    if (size !== undefined && size > maxSize) throw tooLarge(maxSize);
    const key = { tenantId, ownerId, sessionId };
    const file = {
      fileId: `file_${nanoid(16)}`,
      // As long as nobody knows how large it becomes, there has to be room for the largest.
      room: size ?? maxSize,
      createdAt: Math.round(clock.now()),
    };
    sessions.fileBegun();
    const begun = await storage.files.begin(key, file, { maxFiles: MAX_FILES, maxBytes: MAX_BYTES });
    if (begun === 'session_not_found') throw new ApiError('SESSION_NOT_FOUND');
    if (begun === 'full') {
      const text = `A session keeps at most ${MAX_FILES} files, and ${MAX_BYTES} bytes of them`;
      throw new ApiError('RESOURCE_LIMIT_EXCEEDED', text);
    }
    const upload = new FileUpload({
      ...this.#options,
      key,
      file,
      audio: new AudioReader(mimeType),
      onSettled: (settled) => this.#open.delete(settled),
    });
    this.#open.add(upload);
    return upload;
  }

  /** Breaks off what is on its way; nothing of it is left when it resolves. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((upload) => upload.abort()));
  }

  /** Throws `NOT_FOUND`, also for a file of somebody else. */
  async get(key: SessionKey, fileId: string): Promise<FileRow> {
    const file = await this.#options.storage.files.get(key, fileId);
    if (!file) throw noSuchFile();
    return file;
  }

  /** Its bytes in order. */
  read(file: FileRow): AsyncIterable<Uint8Array> {
    return readFile(this.#options.storage, file);
  }

  /** `record` is what the caller is answered. Throws `NOT_FOUND`. */
  async remove(key: SessionKey, fileId: string, record?: IdempotencyRecord): Promise<void> {
    if (!(await this.#options.storage.files.remove(key, fileId, record))) throw noSuchFile();
    this.#options.sessions.fileRemoved();
  }
}

export function toAudio({ fileId, mimeType, size, duration }: FileRow): AudioAccepted {
  return { file_id: fileId, mime_type: mimeType, size, duration };
}

export function toFileInfo(file: FileRow): FileInfo {
  return { ...toAudio(file), created_at: new Date(file.createdAt).toISOString() };
}

function noSuchFile(): ApiError {
  return new ApiError('NOT_FOUND', 'There is no such file in the session');
}

function notTaken(mimeType: string): ApiError {
  const message = `is none of the types that are taken: ${AUDIO_NAMES.join(', ')}`;
  return new ApiError('VALIDATION_ERROR', `${JSON.stringify(mimeType)} ${message}`, {
    errors: [{ path: 'mime_type', message }],
  });
}
