import type { Message } from '@llmgine/protocol';
import { sql } from 'kysely';
import { IMPORTING } from '../transfers.ts';
import {
  type ConversationPage,
  type ForkPoint,
  type ForkRefusal,
  type ImportedMessage,
  MAX_PAGE_SIZE,
  type NewSession,
  type SessionKey,
  type TransferRefusal,
  type TransferStorage,
} from '../types.ts';
import type { Database, Sql } from './database.ts';
import { isTransient } from './errors.ts';
import { findForkPoint } from './fork-point.ts';
import { type Columns, insertRows } from './rows.ts';
import { findSession, ofKey, scopeColumns } from './session-row.ts';
import { decode, encode } from './text.ts';
import { Refused, type Room, refuseEarly, settle } from './transfer-room.ts';

type Work = <Result>(work: () => Promise<Result>) => Promise<Result>;

export interface TransfersParts {
  /** Translates what goes wrong. */
  readonly run: Work;
  /** The same, for what may be done twice. */
  readonly again: Work;
}

interface MessageColumns {
  readonly session: number;
  readonly seq: number;
  readonly accepted_seq: number;
  readonly completed_at: number;
  readonly size: number;
  readonly message: string;
}
const MESSAGE: Columns<MessageColumns> = {
  session: 'bigint',
  seq: 'bigint',
  accepted_seq: 'bigint',
  completed_at: 'bigint',
  size: 'bigint',
  message: 'text',
};

/** See `TransferStorage`. */
export class Transfers implements TransferStorage {
  readonly #database: Database;
  readonly #parts: TransfersParts;

  constructor(database: Database, parts: TransfersParts) {
    this.#database = database;
    this.#parts = parts;
  }

  async forkPoint(key: SessionKey, messageId: string | null): Promise<ForkPoint | ForkRefusal> {
    return this.#parts.again(() =>
      this.#database.snapshot(async (db) => {
        const session = await findSession(db, key);
        return session ? findForkPoint(db, session.position, messageId) : 'session_not_found';
      }),
    );
  }

  async fork(
    ...[parent, { acceptedSeq, headSeq }, session, room, idempotency]: Parameters<TransferStorage['fork']>
  ): Promise<'created' | TransferRefusal> {
    return this.#make(session, async (db) => {
      // It may be deleted meanwhile, but what it has left is not removed as long as somebody holds its row.
      const from = await ofKey(db, parent).select('s.position').forKeyShare().executeTakeFirst();
      if (!from) throw new Refused('not_there');
      const limits: Room = { session, room, idempotency };
      await refuseEarly(db, limits);
      const { rows } = await sql<{ position: number }>`
        select nextval(pg_get_serial_sequence('sessions', 'position')) as position
      `.execute(db);
      const position = rows[0]?.position ?? 0;
      await copyMessages(db, from.position, position, acceptedSeq);
      // Last, because everybody who makes a session waits for the row that counts them.
      await settle(db, limits, { position, headSeq, isStaged: false });
    });
  }

  async conversationPage(
    ...[key, { upTo, limit, after }]: Parameters<TransferStorage['conversationPage']>
  ): Promise<ConversationPage | null> {
    const { acceptedSeq, seq } = after ?? { acceptedSeq: 0, seq: 0 };
    const order = sql`order by m.accepted_seq, m.seq`;
    return this.#parts.again(async () => {
      const session = await findSession(this.#database.sql, key);
      if (!session) return null;
      const { rows } = await sql<{ seq: number; accepted_seq: number; message: string; more: boolean }>`
        select m.seq, m.accepted_seq, m.message, m.more from (
          select m.seq, m.accepted_seq, m.message, m.size, sum(m.size) over (${order}) - m.size as earlier,
            lead(m.seq) over (${order}) is not null as more
          from messages m where m.session = ${session.position} and m.seq <= ${upTo}
            and (m.accepted_seq, m.seq) > (${acceptedSeq}::bigint, ${seq}::bigint)
          ${order} limit ${limit + 1}
        ) as m where m.earlier = 0 or m.earlier + m.size <= ${MAX_PAGE_SIZE}
        ${order}
      `.execute(this.#database.sql);
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return {
        messages: shown.map(({ message }) => JSON.parse(message) as Message),
        next: last?.more ? { acceptedSeq: last.accepted_seq, seq: last.seq } : null,
      };
    });
  }

  async begin(key: SessionKey, epoch: string, keepUntil: number): Promise<void> {
    await this.#parts.again(() =>
      this.#database.sql
        .insertInto('sessions')
        .values({
          ...scopeColumns(key),
          session_id: encode(key.sessionId),
          epoch: encode(epoch),
          head_seq: IMPORTING,
          created_at: 0,
          last_interaction_at: 0,
          unfinished_runs: 0,
          deleted_at: keepUntil,
          metadata: '{}',
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
  }

  async add(key: SessionKey, messages: readonly ImportedMessage[], keepUntil: number): Promise<boolean> {
    return this.#parts.again(() =>
      this.#database.transaction(async (db) => {
        const staged = await findStaged(db, key);
        if (!staged) return false;
        const { position } = staged;
        await db
          .updateTable('sessions')
          .set({ deleted_at: keepUntil })
          .where('position', '=', position)
          .execute();
        const rows = messages.map((message) => messageColumns(position, message));
        if (rows.length === 0) return true;
        await sql`${insertRows('messages', MESSAGE, rows)} on conflict do nothing`.execute(db);
        return true;
      }),
    );
  }

  async complete(
    ...[session, headSeq, room, idempotency]: Parameters<TransferStorage['complete']>
  ): Promise<'created' | TransferRefusal> {
    return this.#make(session, async (db) => {
      const staged = await findStaged(db, session);
      if (!staged || decode(staged.epoch) !== session.epoch) throw new Refused('not_there');
      const limits: Room = { session, room, idempotency };
      await refuseEarly(db, limits);
      await settle(db, limits, { position: staged.position, headSeq, isStaged: true });
    });
  }

  async abandon(key: SessionKey): Promise<void> {
    await this.#parts.again(() =>
      this.#database.transaction(async (db) => {
        const staged = await findStaged(db, key);
        if (!staged) return;
        await db
          .updateTable('sessions')
          .set({ deleted_at: 0 })
          .where('position', '=', staged.position)
          .execute();
      }),
    );
  }

  /** When the answer to the commit is lost, it may have been made all the same: nobody else makes one of this epoch. */
  #make(session: NewSession, work: (db: Sql) => Promise<void>): Promise<'created' | TransferRefusal> {
    return this.#parts.run(async () => {
      for (let isLast = false; ; isLast = true) {
        try {
          await this.#database.transaction(work);
          return 'created';
        } catch (error) {
          const isRefused = error instanceof Refused;
          if (isRefused && !isLast) return error.refusal;
          if (!isRefused && !isTransient(error) && !isLast) throw error;
          if (await this.#isMade(session)) return 'created';
          if (isRefused) return error.refusal;
          if (isLast) throw error;
        }
      }
    });
  }

  async #isMade(session: NewSession): Promise<boolean> {
    const found = await findSession(this.#database.sql, session);
    return found !== undefined && decode(found.epoch) === session.epoch;
  }
}

/** Undefined unless it is being imported. Nobody else has it as long as the transaction lasts. */
function findStaged(db: Sql, key: SessionKey) {
  const { tenant_id, owner_id } = scopeColumns(key);
  return db
    .selectFrom('sessions')
    .select(['position', 'epoch'])
    .where('session_id', '=', encode(key.sessionId))
    .where('tenant_id', '=', tenant_id)
    .where('owner_id', '=', owner_id)
    .where('head_seq', '=', sql.lit(IMPORTING))
    .where('deleted_at', '>', Date.now())
    .forUpdate()
    .executeTakeFirst();
}

/** What is copied has no deltas any more, so there is nothing to compact. */
async function copyMessages(db: Sql, from: number, to: number, acceptedSeq: number): Promise<void> {
  await sql`
    insert into messages (session, seq, accepted_seq, completed_at, size, run_id, message)
    select ${to}::bigint, seq, accepted_seq, completed_at, size, run_id, message
    from messages where session = ${from} and accepted_seq <= ${acceptedSeq} order by seq
  `.execute(db);
}

function messageColumns(session: number, { seq, acceptedSeq, message }: ImportedMessage): MessageColumns {
  const text = JSON.stringify(message);
  return {
    session,
    seq,
    accepted_seq: acceptedSeq,
    completed_at: Date.parse(message.created_at),
    size: text.length,
    message: text,
  };
}
