import { Skim } from './skim.ts';

const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const CLUSTER = 0x1f43b675;
const BLOCK_GROUP = 0xa0;
const TIMECODE_SCALE = 0x2ad7b1;
const CLUSTER_TIMECODE = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK = 0xa1;
/** Bytes that the number of the track and the time of a block have at most. */
const BLOCK_HEAD = 10;
const NANOSECONDS = 1_000_000_000;

/**
 * How long a WebM is whose head does not say it, because it was streamed while it was recorded: up to the time of its last
 * block. See RFC 8794 for elements, RFC 9559 for what they mean.
 */
export class WebmClock {
  readonly #skim = new Skim((data, at) => this.#element(data, at));
  /** Nanoseconds of a tick. */
  #scale = 1_000_000;
  #cluster = 0;
  #last = -1;

  /** Takes the next bytes of the file. */
  next(bytes: Uint8Array): void {
    this.#skim.next(bytes);
  }

  /** Null when there was no block. */
  get seconds(): number | null {
    return this.#last < 0 ? null : (this.#last * this.#scale) / NANOSECONDS;
  }

  /** Looks at the element at this place. Returns how many bytes that took, 0 when there are too few. */
  #element(data: Buffer, start: number): number {
    const idLength = lengthOf(data[start]);
    const sizeAt = start + idLength;
    const sizeLength = lengthOf(data[sizeAt]);
    const body = sizeAt + sizeLength;
    if (idLength > 4 || (sizeAt < data.length && sizeLength > 8)) return this.#skim.lose();
    if (body > data.length || sizeAt >= data.length) return 0;
    const id = data.readUIntBE(start, idLength);
    const size = sizeOf(data.subarray(sizeAt, body));
    switch (id) {
      // What is in them comes next, however large they are.
      case SEGMENT:
      case INFO:
      case CLUSTER:
      case BLOCK_GROUP:
        return body - start;
      case TIMECODE_SCALE:
      case CLUSTER_TIMECODE: {
        if (size === null || size < 1 || size > 6) break;
        if (body + size > data.length) return 0;
        const value = data.readUIntBE(body, size);
        if (id === CLUSTER_TIMECODE) this.#cluster = value;
        else this.#scale = value;
        return body + size - start;
      }
      case SIMPLE_BLOCK:
      case BLOCK: {
        if (size === null) break;
        if (body + Math.min(size, BLOCK_HEAD) > data.length) return 0;
        const timeAt = body + lengthOf(data[body]);
        if (timeAt + 2 > body + size) break;
        this.#last = Math.max(this.#last, this.#cluster + data.readInt16BE(timeAt));
        this.#skim.skip(size);
        return body - start;
      }
      default:
        if (size === null) break;
        this.#skim.skip(size);
        return body - start;
    }
    return this.#skim.lose();
  }
}

/** Bytes of the number that begins with this one; 9 for none. */
function lengthOf(first: number | undefined): number {
  return first === undefined ? 1 : Math.clz32(first) - 23;
}

/** Null when the size is not known. */
function sizeOf(bytes: Buffer): number | null {
  let value = (bytes[0] ?? 0) & (0xff >> bytes.length);
  let unknown = value === 0xff >> bytes.length;
  for (const byte of bytes.subarray(1)) {
    value = value * 256 + byte;
    unknown &&= byte === 0xff;
  }
  return unknown ? null : value;
}
