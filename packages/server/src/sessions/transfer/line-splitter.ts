import { ApiError } from '@llmgine/protocol';

const NEW_LINE = 0x0a;
const NOTHING = Buffer.alloc(0);
const LEAST_ROOM = 16_384;

/** Cuts bytes into lines, and holds at most one line that is not whole. */
export class LineSplitter {
  readonly #maxLine: number;
  /** Bytes that come one by one must not take more room than those that come together. */
  #room: Buffer = NOTHING;
  #held = 0;
  #lines = 0;

  constructor(maxLine: number) {
    this.#maxLine = maxLine;
  }

  /** The number of the line that was given last, from 1. */
  get number(): number {
    return this.#lines;
  }

  /** The lines that end in these bytes, without their ends. Throws `MESSAGE_TOO_LARGE`. */
  *take(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    let from = 0;
    for (let end = bytes.indexOf(NEW_LINE); end !== -1; end = bytes.indexOf(NEW_LINE, from)) {
      const line = this.#line(bytes.subarray(from, end));
      from = end + 1;
      yield line;
    }
    // Copied, because the caller may use its buffer again.
    if (from < bytes.length) this.#hold(bytes.subarray(from));
  }

  /** What comes after the last end of a line, or null. */
  rest(): Uint8Array | null {
    return this.#held > 0 ? this.#line(NOTHING) : null;
  }

  #line(end: Uint8Array): Uint8Array {
    if (this.#held === 0) this.#assertFits(end.length);
    else this.#hold(end);
    const line = this.#held === 0 ? end : this.#room.subarray(0, this.#held);
    this.#room = NOTHING;
    this.#held = 0;
    this.#lines++;
    return line;
  }

  #hold(piece: Uint8Array): void {
    const length = this.#held + piece.length;
    this.#assertFits(length);
    if (length > this.#room.length) {
      const room = Buffer.allocUnsafe(Math.max(LEAST_ROOM, 2 * length));
      this.#room.copy(room, 0, 0, this.#held);
      this.#room = room;
    }
    this.#room.set(piece, this.#held);
    this.#held = length;
  }

  #assertFits(length: number): void {
    if (length <= this.#maxLine) return;
    throw new ApiError('MESSAGE_TOO_LARGE', `Line ${this.#lines + 1} has more than ${this.#maxLine} bytes`);
  }
}
