import { Skim } from './skim.ts';
import type { FoundFormat } from './types.ts';

const PAGE_HEAD = 27;
/** Bytes of the first packet of a stream that tell what it is. */
const STREAM_HEAD = 48;
/** Streams side by side that are looked at. */
const MAX_STREAMS = 16;
const FIRST_PAGE = 0x02;

interface AudioStream {
  readonly codec: string;
  /** What the positions of its pages count in a second. */
  readonly rate: number;
  /** Of those, what is not heard at the beginning. */
  readonly skipped: number;
  position: number;
}

/**
 * What an Ogg file is, and how long it is: up to the position of its last page. Of packets it looks only at the first of each
 * stream; the comments after it can have any size. See RFC 3533, RFC 7845 for Opus.
 */
export class OggClock {
  readonly #skim = new Skim((data, at) => this.#page(data.subarray(at)));
  /** By serial number. */
  readonly #streams = new Map<number, AudioStream>();

  /** Takes the next bytes of the file. */
  next(bytes: Uint8Array): void {
    this.#skim.next(bytes);
  }

  get format(): FoundFormat {
    const streams = [...this.#streams.values()];
    const [first] = streams;
    const seconds = streams
      .filter(({ rate, position }) => rate > 0 && position >= 0)
      .map(({ rate, position, skipped }) => Math.max(position - skipped, 0) / rate);
    return {
      container: 'Ogg',
      ...(first ? { codec: first.codec, hasAudio: true } : {}),
      ...(seconds.length > 0 ? { duration: Math.max(...seconds) } : {}),
    };
  }

  /** Looks at the page that begins here. Returns how many bytes of it that took, 0 when there are too few. */
  #page(data: Buffer): number {
    if (data.length < PAGE_HEAD) return 0;
    if (data.toString('latin1', 0, 4) !== 'OggS') return this.#skim.lose();
    const body = PAGE_HEAD + data.readUInt8(26);
    if (data.length < body) return 0;
    const size = data.subarray(PAGE_HEAD, body).reduce((sum, segment) => sum + segment, 0);
    const serial = data.readUInt32LE(14);
    if (data.readUInt8(5) & FIRST_PAGE) {
      const head = Math.min(size, STREAM_HEAD);
      if (data.length < body + head) return 0;
      const stream = streamOf(data.subarray(body, body + head));
      if (stream && this.#streams.size < MAX_STREAMS) this.#streams.set(serial, stream);
    }
    // -1 where no packet ends.
    const position = Number(data.readBigInt64LE(6));
    const stream = this.#streams.get(serial);
    if (stream && position > stream.position) stream.position = position;
    this.#skim.skip(size);
    return body;
  }
}

/** The stream of sound that begins with this packet; null when it is of another kind. */
function streamOf(head: Buffer): AudioStream | null {
  const begins = (text: string, length: number) =>
    head.length >= length && head.toString('latin1', 0, text.length) === text;
  const stream = (codec: string, rate: number, skipped = 0) => ({ codec, rate, skipped, position: -1 });
  if (begins('OpusHead', 12)) return stream('Opus', 48_000, head.readUInt16LE(10));
  if (begins('\x01vorbis', 16)) return stream('Vorbis', head.readUInt32LE(12));
  if (begins('\x7fFLAC', 30)) return stream('FLAC', head.readUIntBE(27, 3) >> 4);
  if (begins('Speex   ', 40)) return stream('Speex', head.readUInt32LE(36));
  return null;
}
