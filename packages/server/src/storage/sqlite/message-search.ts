import { sql } from 'kysely';
import { idText, ownerOf, type PlacedMessage } from '../fork-point.ts';
import type { Database, Prepared } from './database.ts';

/** Messages, and about as many bytes of them, that are read at once, because the whole process waits for it. */
const SLICE = 2000;
const SLICE_BYTES = 2_097_152;

interface Before {
  readonly session: number;
  /** A `seq`. */
  readonly before: number;
}
type Slice = Before & { readonly from: number; readonly text: string };

/** Finds a message by its id, which has no index: that would be one more to write for every message. */
export class MessageSearch {
  readonly #sizes: Prepared<Before, { seq: number; size: number }>;
  readonly #candidates: Prepared<Slice, PlacedMessage>;

  constructor(database: Database) {
    const db = database.sql;
    this.#sizes = database.prepare((p: Before) =>
      db
        .selectFrom('messages')
        // Unlike their length it is known without reading them.
        .select(['seq', sql<number>`octet_length(message)`.as('size')])
        .where('session', '=', p.session)
        .where('seq', '<', p.before)
        .orderBy('seq', 'desc')
        .limit(SLICE),
    );
    this.#candidates = database.prepare((p: Slice) =>
      db
        .selectFrom('messages')
        .select(['seq', 'accepted_seq', 'message'])
        .where('session', '=', p.session)
        .where('seq', '<', p.before)
        .where('seq', '>=', p.from)
        .where(sql<boolean>`instr(message, ${p.text}) > 0`)
        .orderBy('seq', 'desc'),
    );
  }

  /** The message, or the `before` to go on with, or null when there are no more. */
  slice({ session, before }: Before, messageId: string): PlacedMessage | number | null {
    let bytes = 0;
    let from: number | null = null;
    for (const { seq, size } of this.#sizes.all({ session, before })) {
      if (from !== null && bytes + size > SLICE_BYTES) break;
      bytes += size;
      from = seq;
    }
    if (from === null) return null;
    const candidates = this.#candidates.all({ session, before, from, text: idText(messageId) });
    return ownerOf(candidates, messageId) ?? from;
  }
}
