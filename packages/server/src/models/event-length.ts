const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/**
 * Measures a stream of events: who reads one keeps it until the empty line at its end, so one without an end would take
 * all memory.
 */
export class EventLength {
  #length = 0;
  /** The last two bytes: an empty line may come in two chunks. */
  #before: readonly [number | undefined, number | undefined] = [undefined, undefined];

  /** The bytes since the last empty line, with those of this chunk. */
  count(chunk: Uint8Array): number {
    const end = this.#lastEmptyLine(chunk);
    this.#length = end === -1 ? this.#length + chunk.length : chunk.length - end - 1;
    if (chunk.length > 0) this.#before = [chunk.at(-2) ?? this.#before[1], chunk.at(-1)];
    return this.#length;
  }

  #lastEmptyLine(chunk: Uint8Array): number {
    const byte = (at: number) => (at < 0 ? this.#before[at + 2] : chunk[at]);
    for (let end = chunk.length; end > 0; ) {
      const at = chunk.lastIndexOf(LINE_FEED, end - 1);
      if (at === -1) return -1;
      const isAfter = byte(at - 1) === CARRIAGE_RETURN ? byte(at - 2) : byte(at - 1);
      if (isAfter === LINE_FEED) return at;
      end = at;
    }
    return -1;
  }
}
