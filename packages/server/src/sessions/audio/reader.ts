import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ApiError, type AudioType } from '@llmgine/protocol';
import { parseStream } from 'music-metadata';
import { OggClock } from './ogg-clock.ts';
import { TagSkipper } from './tag-skipper.ts';
import { declaredType, type FoundFormat, foundType, HEAD_SIZE, kindOf } from './types.ts';
import { WebmClock } from './webm-clock.ts';

/** Parsed at once: a file made of the smallest parts there are holds nobody up for long. */
const MAX_STEP = 1024;

/** What the parser may take of a file; what is told of the file is what is known by then. */
interface ParserLimits {
  /** Parts that it looks at. Of most it keeps something. */
  readonly reads: number;
  /** Bytes that it may want at once: they are kept for it, and then parsed without a pause. */
  readonly buffered: number;
  readonly bytes: number;
}

const LIMITS: ParserLimits = { reads: 50_000, buffered: 131_072, bytes: Number.POSITIVE_INFINITY };
const LIMITS_OF: Partial<Record<AudioType, ParserLimits>> = {
  // Each frame is a part; an hour has some 100,000, and nothing is kept of them.
  'audio/mpeg': { ...LIMITS, reads: 500_000 },
  // A table of four hours.
  'audio/mp4': { ...LIMITS, buffered: 3 * 1024 * 1024 },
  // The first block has everything; the comments after it are parsed as a whole.
  'audio/flac': { ...LIMITS, bytes: 42 },
};

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
  readonly #found: { -readonly [Name in keyof FoundFormat]: FoundFormat[Name] } = {};
  #head: Buffer = Buffer.alloc(0);
  /** Undefined until there is enough of it. */
  #kind: AudioType | null | undefined;
  #ogg: OggClock | null = null;
  #source: Source | null = null;
  #parsed: Promise<void> | null = null;
  #size = 0;
  #done = false;
  #stopped = false;

  /** `declared` is what its sender says it is; see `declaredType`. */
  constructor(declared: string) {
    this.#declared = declaredType(declared);
    this.#clock = this.#declared === 'audio/webm' ? new WebmClock() : null;
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
      this.#source?.checkBuffered();
    }
    if (this.#done && !this.#stopped) this.#type();
  }

  /** All bytes have come. Throws `VALIDATION_ERROR` when they are no recording, or another kind than was declared. */
  async end(): Promise<AudioFormat> {
    if (!this.#done) {
      this.#pass(this.#skipper.rest());
      this.#source?.finish();
    }
    await this.#parsed;
    const mimeType = this.#type();
    return { mimeType, duration: this.#duration(mimeType) };
  }

  /** Nobody wants to know any more. */
  stop(): void {
    this.#stopped = true;
    this.#source?.destroy();
  }

  #pass(bytes: Uint8Array): void {
    let left = bytes;
    if (this.#kind === undefined) {
      this.#head = Buffer.concat([this.#head, bytes]);
      if (this.#head.length < HEAD_SIZE) return;
      left = this.#head;
      this.#head = Buffer.alloc(0);
      this.#begin(kindOf(left));
    }
    this.#ogg?.next(left);
    this.#source?.add(left);
  }

  #begin(kind: AudioType | null): void {
    this.#kind = kind;
    if (kind === null) this.#done = true;
    // The parser would keep all comments of an Ogg, and takes time by the square of their pages.
    else if (kind === 'audio/ogg') this.#ogg = new OggClock();
    else {
      this.#source = new Source(LIMITS_OF[kind] ?? LIMITS);
      this.#parsed = this.#parse(this.#source, kind);
    }
  }

  /** Never rejects: a recording may be broken off, and what was found before is true all the same. */
  async #parse(source: Source, mimeType: AudioType): Promise<void> {
    const found = this.#found as Record<string, unknown>;
    try {
      const { format } = await parseStream(
        source,
        { mimeType },
        {
          duration: true,
          skipCovers: true,
          observer: ({ tag }) => {
            if (tag.type === 'format') found[tag.id] = tag.value;
          },
        },
      );
      Object.assign(found, format);
    } catch {
      // What is no recording shows in what was found.
    } finally {
      this.#done = true;
      source.destroy();
    }
  }

  get #format(): FoundFormat {
    return this.#ogg?.format ?? this.#found;
  }

  #type(): AudioType {
    const mimeType = foundType(this.#format, this.#kind ?? null);
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
    const { bitrate = 0, duration = this.#clock?.seconds } = this.#format;
    // Who writes a WAV while it is recorded does not know its length, and says anything.
    const most =
      mimeType === 'audio/wav' && bitrate > 0 ? (this.#size * 8) / bitrate : Number.POSITIVE_INFINITY;
    const seconds = Math.min(duration ?? Number.POSITIVE_INFINITY, most);
    return Number.isFinite(seconds) && seconds >= 0 ? Math.round(seconds * 1000) / 1000 : null;
  }
}

/** The bytes that the parser reads. Ends when too much is asked of it. */
class Source extends Readable {
  readonly #buffered: number;
  #readsLeft: number;
  #bytesLeft: number;
  #finished = false;

  constructor({ reads, buffered, bytes }: ParserLimits) {
    super({ highWaterMark: buffered });
    this.#buffered = buffered;
    this.#readsLeft = reads;
    this.#bytesLeft = bytes;
    // Whoever reads is told; nobody else has to be.
    this.on('error', () => {});
  }

  add(bytes: Uint8Array): void {
    if (this.#finished) return;
    const taken = bytes.subarray(0, this.#bytesLeft);
    this.#bytesLeft -= taken.length;
    this.push(taken);
    if (this.#bytesLeft === 0) this.finish();
  }

  /** There are no more bytes. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.push(null);
  }

  checkBuffered(): void {
    if (this.readableLength > this.#buffered) this.destroy();
  }

  override read(size?: number): unknown {
    if (--this.#readsLeft < 0) this.destroy();
    return super.read(size);
  }

  override _read(): void {}
}
