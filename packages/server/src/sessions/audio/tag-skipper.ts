const HEADER = 10;
const HAS_FOOTER = 0x10;
const NOTHING = new Uint8Array(0);

/** Leaves out the ID3 tags that a file begins with: they hold pictures of any size, and nobody asks for them. */
export class TagSkipper {
  #head: Uint8Array = NOTHING;
  #toSkip = 0;
  #begun = false;

  /** What is left of these bytes. */
  next(bytes: Uint8Array): Uint8Array {
    if (this.#begun) return bytes;
    let left = bytes;
    for (;;) {
      const skipped = Math.min(this.#toSkip, left.length);
      this.#toSkip -= skipped;
      left = left.subarray(skipped);
      if (this.#toSkip > 0) return NOTHING;
      const head = this.#head.length === 0 ? left : Buffer.concat([this.#head, left]);
      const size = tagSize(head);
      if (size === null) {
        this.#head = head;
        return NOTHING;
      }
      this.#head = NOTHING;
      left = head;
      if (size === 0) {
        this.#begun = true;
        return left;
      }
      this.#toSkip = size;
    }
  }

  /** What was held back, because it might have become a tag. */
  rest(): Uint8Array {
    return this.#head;
  }
}

/** Bytes of the tag that begins here, 0 when none does; null when there is too little to tell. */
function tagSize(bytes: Uint8Array): number | null {
  if ('ID3'.startsWith(Buffer.from(bytes.subarray(0, 3)).toString('latin1')) && bytes.length < HEADER)
    return null;
  const [i, d, three, , , flags = 0, ...size] = bytes.subarray(0, HEADER);
  if (i !== 0x49 || d !== 0x44 || three !== 0x33) return 0;
  const body = size.reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  return HEADER + body + (flags & HAS_FOOTER ? HEADER : 0);
}
