/**
 * Goes through a file that comes in pieces, and looks only at the beginning of each of its parts: what is passed over is
 * never held, however large it is.
 */
export class Skim {
  readonly #look: (data: Buffer, at: number) => number;
  #rest: Buffer = Buffer.alloc(0);
  #skip = 0;
  #lost = false;

  /** @param look Looks at the part that begins at `at`. Returns how many bytes that took, 0 when there are too few. */
  constructor(look: (data: Buffer, at: number) => number) {
    this.#look = look;
  }

  /** Takes the next bytes of the file. */
  next(bytes: Uint8Array): void {
    if (this.#lost) return;
    let data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.#rest.length > 0) data = Buffer.concat([this.#rest, data]);
    let at = 0;
    while (at < data.length && !this.#lost) {
      const skipped = Math.min(this.#skip, data.length - at);
      this.#skip -= skipped;
      at += skipped;
      const used = this.#look(data, at);
      if (used === 0) break;
      at += used;
    }
    // A few bytes, which must not keep a large buffer.
    this.#rest = this.#lost ? Buffer.alloc(0) : Buffer.from(data.subarray(at));
  }

  /** Passes over so many bytes behind those that `look` takes. */
  skip(size: number): void {
    this.#skip = size;
  }

  /** Nothing can be told any more: what comes is not looked at. Returns what `look` then returns. */
  lose(): 0 {
    this.#lost = true;
    return 0;
  }
}
