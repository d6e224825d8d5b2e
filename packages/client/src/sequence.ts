/** A client's place in the log of a session: what it has seen, and whether what comes now follows it. */
import { parseCursor, type SessionEvent } from '@llmgine/protocol/wire';

/** `gap`: something before it is missing that nothing stands for. */
export type Arrival = 'next' | 'seen' | 'gap';

interface Range {
  readonly from: number;
  readonly to: number;
}

export class Sequence {
  #cursor: string | null = null;
  #seq = 0;
  #missing: Range[] = [];

  /** To resume after; null before there is a place. */
  get cursor(): string | null {
    return this.#cursor;
  }

  /** Of the last event that was seen. */
  get seq(): number {
    return this.#seq;
  }

  /** It goes on from here, whatever was before. */
  reset(cursor: string): void {
    this.#cursor = cursor;
    this.#seq = parseCursor(cursor)?.seq ?? 0;
    this.#missing = [];
  }

  /** It has no place any more. */
  forget(): void {
    this.#cursor = null;
    this.#seq = 0;
    this.#missing = [];
  }

  /**
   * An event has come. Deltas of messages that are complete are not kept for ever, so numbers may be missing; the completed
   * message that comes after them says which it stands for.
   */
  arrived(event: SessionEvent): Arrival {
    if (event.seq <= this.#seq) return 'seen';
    if (event.seq > this.#seq + 1) this.#missing.push({ from: this.#seq + 1, to: event.seq - 1 });
    this.#cursor = event.cursor;
    this.#seq = event.seq;
    if (this.#missing.length === 0 || event.event_type !== 'message_completed') return 'next';
    const { replaces } = event.payload;
    if (!replaces) return 'next';
    const isWhole = this.#missing.every(({ from, to }) => replaces.from_seq <= from && to <= replaces.to_seq);
    this.#missing = [];
    return isWhole ? 'next' : 'gap';
  }
}
