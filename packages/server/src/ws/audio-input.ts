import { ApiError, type MessageId } from '@llmgine/protocol';
import type { ConnectionAudio } from '../handlers/types.ts';
import type { Services } from '../services.ts';
import type { FileUpload } from '../sessions/file-upload.ts';
import type { FileRow, SessionKey } from '../storage/types.ts';

/** What the input needs of the connection. */
export interface AudioTarget {
  readonly key: SessionKey;
  /** Answers the `audio_begin` of this id with an error, long after. */
  audioFailed(error: ApiError, messageId: MessageId | undefined): void;
  /** Enough waits to be committed. */
  pauseAudio(): void;
  resumeAudio(): void;
}

/** The recordings of one connection, one at a time. A connection that closes leaves nothing of the one that is open. */
export class AudioInput implements ConnectionAudio {
  readonly #files: Services['files'];
  readonly #target: AudioTarget;
  #upload: FileUpload | null = null;
  #messageId: MessageId | undefined;
  /** Why the frames up to the next `audio_end` are dropped. */
  #failure: ApiError | null = null;
  #closed = false;

  constructor(files: Services['files'], target: AudioTarget) {
    this.#files = files;
    this.#target = target;
  }

  async begin(mimeType: string, messageId: MessageId | undefined, signal: AbortSignal): Promise<void> {
    if (this.#upload) {
      throw new ApiError('VALIDATION_ERROR', 'A recording is open already; audio_end ends it');
    }
    // Until it has begun, and when that takes too long.
    this.#failure = new ApiError('UNAVAILABLE', 'The recording could not be begun');
    try {
      const upload = await this.#files.begin(this.#target.key, mimeType);
      if (this.#closed || signal.aborted) {
        await upload.abort();
        return;
      }
      this.#failure = null;
      this.#upload = upload;
      this.#messageId = messageId;
    } catch (error) {
      // Who was told that it takes too long may have begun another one.
      if (signal.aborted) throw error;
      // Who sends the recording without waiting is told once that it is not taken.
      this.#failure = error instanceof ApiError ? error : new ApiError('INTERNAL_ERROR');
      throw error;
    }
  }

  /** False when there is no recording that the bytes could belong to. */
  write(bytes: Uint8Array): boolean {
    if (!this.#upload) return this.#failure !== null;
    try {
      this.#upload.write(bytes);
    } catch (error) {
      this.#fail(error);
      return true;
    }
    if (!this.#upload.hasRoom) void this.#waitForRoom(this.#upload);
    return true;
  }

  async end(signal: AbortSignal): Promise<FileRow> {
    const upload = this.#upload;
    const failure = this.#failure;
    this.#upload = null;
    this.#failure = null;
    if (failure) throw failure;
    if (!upload) throw new ApiError('VALIDATION_ERROR', 'No recording is open; audio_begin begins one');
    const abort = () => void upload.abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await upload.end();
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  close(): void {
    this.#closed = true;
    void this.#upload?.abort();
    this.#upload = null;
  }

  async #waitForRoom(upload: FileUpload): Promise<void> {
    this.#target.pauseAudio();
    try {
      await upload.room();
    } catch (error) {
      if (this.#upload === upload) this.#fail(error);
    } finally {
      this.#target.resumeAudio();
    }
  }

  /** The client is told at once, so that it need not send the rest; `audio_end` is answered with the same. */
  #fail(error: unknown): void {
    const failure =
      error instanceof ApiError ? error : new ApiError('INTERNAL_ERROR', undefined, { cause: error });
    this.#upload = null;
    this.#failure = failure;
    this.#target.audioFailed(failure, this.#messageId);
  }
}
