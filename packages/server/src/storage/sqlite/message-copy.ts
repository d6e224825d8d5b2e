import { sql } from 'kysely';
import type { Database, Prepared } from './database.ts';

/** Messages, and about as many bytes of them, that are copied at once, because the whole process waits for it. */
const SLICE = 500;
const SLICE_BYTES = 1_048_576;

interface Copy {
  readonly from: number;
  readonly to: number;
  readonly acceptedSeq: number;
}
/** What is copied already ends with the `seq` `after`. */
type Rest = Omit<Copy, 'to'> & { readonly after: number };
type Slice = Copy & Rest & { readonly upTo: number };

/** Copies the messages of one session, up to a place in its conversation, into another one. */
export class MessageCopy {
  readonly #copied: Prepared<{ to: number }, { seq: number | null }>;
  readonly #sizes: Prepared<Rest, { seq: number; size: number }>;
  readonly #insert: Prepared<Slice, unknown>;

  constructor(database: Database) {
    const db = database.sql;
    this.#copied = database.prepare((p: { to: number }) =>
      db
        .selectFrom('messages')
        .select(({ fn }) => fn.max<number | null>('seq').as('seq'))
        .where('session', '=', p.to),
    );
    this.#sizes = database.prepare((p: Rest) =>
      db
        .selectFrom('messages')
        // Unlike their length it is known without reading them.
        .select(['seq', sql<number>`octet_length(message)`.as('size')])
        .where('session', '=', p.from)
        .where('seq', '>', p.after)
        .where('accepted_seq', '<=', p.acceptedSeq)
        .orderBy('seq')
        .limit(SLICE + 1),
    );
    // What is copied has no deltas any more, so there is nothing to compact.
    this.#insert = database.prepare((p: Slice) =>
      db
        .insertInto('messages')
        .columns(['session', 'seq', 'accepted_seq', 'message', 'completed_at'])
        .expression(
          db
            .selectFrom('messages')
            .where('session', '=', p.from)
            .where('seq', '>', p.after)
            .where('seq', '<=', p.upTo)
            .where('accepted_seq', '<=', p.acceptedSeq)
            .select(sql<number>`${p.to}`.as('session'))
            .select(['seq', 'accepted_seq', 'message', 'completed_at'])
            .orderBy('seq'),
        ),
    );
  }

  /** Inside a transaction. True when there is nothing more to copy. */
  slice({ from, to, acceptedSeq }: Copy): boolean {
    const after = this.#copied.get({ to })?.seq ?? 0;
    const rows = this.#sizes.all({ from, acceptedSeq, after });
    let bytes = 0;
    let count = 0;
    for (const { size } of rows.slice(0, SLICE)) {
      if (count > 0 && bytes + size > SLICE_BYTES) break;
      bytes += size;
      count++;
    }
    const last = rows[count - 1];
    if (last) this.#insert.run({ from, to, acceptedSeq, after, upTo: last.seq });
    return count === rows.length;
  }
}
