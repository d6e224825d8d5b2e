import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ApiError, type AudioType } from '@llmgine/protocol';
import { parseStream } from 'music-metadata';
import { declaredType, type FoundFormat, foundType } from './audio-types.ts';
import { TagSkipper } from './tag-skipper.ts';
import { WebmClock } from './webm-clock.ts';

/** Parsed at once: a file made of the smallest parts there are holds nobody up for long. */
const MAX_STEP = 1024;
/** Parts of a file that are looked at; what is told of the file is what is known by then. An hour of MP3 has some 100,000. */
const MAX_READS = 500_000;
/** Bytes that the parser may want at once, and that are kept for it. */
const MAX_BUFFERED = 2 * 1024 * 1024;
const HEAD = 12;

export interface AudioFormat {
  readonly mimeType: AudioType;
  /** Seconds; null where the file does not tell. */
  readonly duration: number | null;
}

/** Finds out what a recording is while it passes by. Bounded in memory and in work, whatever the bytes are. */
export class AudioReader {
  readonly #declared: AudioType | null;
  readonly #skipper = new TagSkipper();
  readonly #clock: WebmClock | null;
  readonly #source = new Source(MAX_READS);
  readonly #found: { -readonly [Name in keyof FoundFormat]: FoundFormat[Name] } = {};
  readonly #parsed: Promise<void>;
  #head = new Uint8Array(0);
  #size = 0;
  #done = false;
  #stopped = false;

  /** `declared` is what its sender says it is; see `declaredType`. */
  constructor(declared: string) {
    this.#declared = declaredType(declared);
    this.#clock = this.#declared === 'audio/webm' ? new WebmClock() : null;
    this.#parsed = this.#parse();
  }

  /**
   * Takes the next bytes, which MUST NOT change later, and resolves when they were looked at. Throws what `end` will throw
   * once that is known.
   */
  async feed(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length;
    for (let start = 0; start < bytes.length && !this.#stopped; start += MAX_STEP) {
      const step = bytes.subarray(start, start + MAX_STEP);
      this.#clock?.next(step);
      if (this.#done && !this.#clock) break;
      if (!this.#done) this.#pass(this.#skipper.next(step));
      await nextTurn();
      if (this.#source.readableLength > MAX_BUFFERED) this.#source.destroy();
    }
    if (this.#done && !this.#stopped) this.#type();
  }

  /** All bytes have come. Throws `VALIDATION_ERROR` when they are no recording, or another kind than was declared. */
  async end(): Promise<AudioFormat> {
    if (!this.#done) {
      this.#pass(this.#skipper.rest());
      this.#source.push(null);
    }
    await this.#parsed;
    const mimeType = this.#type();
    return { mimeType, duration: this.#duration(mimeType) };
  }

  /** Nobody wants to know any more. */
  stop(): void {
    this.#stopped = true;
    this.#source.destroy();
  }

  #pass(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#head.length < HEAD) this.#head = Buffer.concat([this.#head, bytes]).subarray(0, HEAD);
    this.#source.push(bytes);
  }

  /** Never rejects: a recording may be broken off, and what was found before is true all the same. */
  async #parse(): Promise<void> {
    const found = this.#found as Record<string, unknown>;
    try {
      const { format } = await parseStream(this.#source, undefined, {
        duration: true,
        skipCovers: true,
        observer: ({ tag }) => {
          if (tag.type === 'format') found[tag.id] = tag.value;
        },
      });
      Object.assign(found, format);
    } catch {
      // What is no recording shows in what was found.
    } finally {
      this.#done = true;
      this.#source.destroy();
    }
  }

  #type(): AudioType {
    const mimeType = foundType(this.#found, this.#head);
    if (!mimeType) throw new ApiError('VALIDATION_ERROR', 'This is no recording of a kind that is taken');
    if (mimeType !== this.#declared) {
      throw new ApiError(
        'VALIDATION_ERROR',
        `This is a recording of type ${mimeType}, not what was declared`,
      );
    }
    return mimeType;
  }

  #duration(mimeType: AudioType): number | null {
    const { bitrate = 0, duration = this.#clock?.seconds } = this.#found;
    // Who writes a WAV while it is recorded does not know its length, and says anything.
    const most =
      mimeType === 'audio/wav' && bitrate > 0 ? (this.#size * 8) / bitrate : Number.POSITIVE_INFINITY;
    const seconds = Math.min(duration ?? Number.POSITIVE_INFINITY, most);
    return Number.isFinite(seconds) && seconds >= 0 ? Math.round(seconds * 1000) / 1000 : null;
  }
}

/** Ends when too much is asked of it. */
class Source extends Readable {
  #left: number;

  constructor(reads: number) {
    super({ highWaterMark: MAX_BUFFERED });
    this.#left = reads;
    // Whoever reads is told; nobody else has to be.
    this.on('error', () => {});
  }

  override read(size?: number): unknown {
    if (--this.#left < 0) this.destroy();
    return super.read(size);
  }

  override _read(): void {}
}
