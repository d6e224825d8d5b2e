import { setImmediate } from 'node:timers/promises';
import type { Message } from '@llmgine/protocol';
import { sql } from 'kysely';
import type { PlacedMessage } from '../fork-point.ts';
import { engineColumns, forkColumn } from '../session-row.ts';
import { IMPORTING } from '../transfers.ts';
import {
  type ConversationPage,
  type ForkPoint,
  type ForkRefusal,
  type IdempotencyRecord,
  MAX_PAGE_SIZE,
  type MessagePlace,
  type NewSession,
  type SessionKey,
  type SessionRoom,
  type TransferRefusal,
  type TransferStorage,
} from '../types.ts';
import type { Counters } from './counters.ts';
import type { Database, Prepared } from './database.ts';
import { findForkPoint } from './fork-point.ts';
import type { Idempotency } from './idempotency.ts';
import { MessageCopy } from './message-copy.ts';
import { MessageSearch } from './message-search.ts';
import type { Room } from './room.ts';
import type { SessionRows } from './session-rows.ts';
import type { Sessions } from './sessions.ts';

/** How long what a fork has copied is kept when nothing more is: it is copied by this process, and at once. */
const KEEP_MS = 600_000;

type KeyArgs = { tenantId: string; ownerId: string; sessionId: string; now: number };
type PageArgs = { session: number; upTo: number; acceptedSeq: number; seq: number; limit: number };
type MessageArgs = { session: number; seq: number; acceptedSeq: number; message: string; at: number };
interface PageRow {
  readonly seq: number;
  readonly accepted_seq: number;
  readonly message: string;
}

export interface TransfersParts {
  readonly sessions: Sessions;
  readonly rows: SessionRows;
  readonly counters: Counters;
  readonly idempotency: Idempotency;
  readonly room: Room;
  /** Translates what goes wrong. */
  readonly run: <Result>(work: () => Result) => Result;
}

/** See `TransferStorage`. */
export class Transfers implements TransferStorage {
  readonly #database: Database;
  readonly #parts: TransfersParts;
  readonly #copy: MessageCopy;
  readonly #search: MessageSearch;
  readonly #page: Prepared<PageArgs, PageRow>;
  readonly #staged: Prepared<KeyArgs, { position: number; epoch: string }>;
  readonly #insertMessage: Prepared<MessageArgs, unknown>;

  constructor(database: Database, parts: TransfersParts) {
    this.#database = database;
    this.#parts = parts;
    this.#copy = new MessageCopy(database);
    this.#search = new MessageSearch(database);
    const db = database.sql;
    this.#page = database.prepare((p: PageArgs) =>
      db
        .selectFrom('messages')
        .select(['seq', 'accepted_seq', 'message'])
        .where('session', '=', p.session)
        .where('seq', '<=', p.upTo)
        .where(sql<boolean>`(accepted_seq, seq) > (${p.acceptedSeq}, ${p.seq})`)
        .orderBy('accepted_seq')
        .orderBy('seq')
        .limit(p.limit),
    );
    this.#staged = database.prepare((p: KeyArgs) =>
      db
        .selectFrom('sessions')
        .select(['position', 'epoch'])
        .where('session_id', '=', p.sessionId)
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId)
        .where('head_seq', '=', sql.lit(IMPORTING))
        .where('deleted_at', '>', p.now),
    );
    this.#insertMessage = database.prepare((p: MessageArgs) =>
      db
        .insertInto('messages')
        .values({
          session: p.session,
          seq: p.seq,
          accepted_seq: p.acceptedSeq,
          message: p.message,
          from_seq: null,
          to_seq: null,
          completed_at: p.at,
        })
        .onConflict((conflict) => conflict.doNothing()),
    );
  }

  async forkPoint(key: SessionKey, messageId: string | null): Promise<ForkPoint | ForkRefusal> {
    const find = () => this.#parts.sessions.find(key)?.position;
    let message: PlacedMessage | null = null;
    let before = Number.MAX_SAFE_INTEGER;
    while (messageId !== null && !message) {
      const found = this.#parts.run(() => {
        const session = find();
        if (session === undefined) return 'session_not_found';
        return this.#search.slice({ session, before }, messageId) ?? 'message_not_found';
      });
      if (typeof found === 'string') return found;
      if (typeof found === 'number') {
        before = found;
        await setImmediate();
      } else message = found;
    }
    return this.#parts.run(() => {
      const session = find();
      return session === undefined ? 'session_not_found' : findForkPoint(this.#database, session, message);
    });
  }

  async fork(
    ...[parent, { acceptedSeq, headSeq }, session, room, idempotency]: Parameters<TransferStorage['fork']>
  ): Promise<'created' | TransferRefusal> {
    const slice = () =>
      this.#take(() => {
        const from = this.#parts.sessions.find(parent)?.position;
        const refused = from === undefined ? 'not_there' : this.#refusal(session, room, idempotency);
        if (from === undefined || refused) return refused ?? 'not_there';
        // It is there already after a slice, and when it was refused before.
        const to = this.#find(session)?.position ?? this.#insertStaged(session, session.epoch);
        this.#setEnd(to, Date.now() + KEEP_MS);
        const isWhole = this.#copy.slice({ from, to, acceptedSeq });
        return isWhole ? this.#complete(session, headSeq, room, idempotency) : null;
      });
    // What is copied never changes, so it need not be copied at once.
    for (let made = slice(); ; made = slice()) {
      if (made) return made;
      await setImmediate();
    }
  }

  async conversationPage(
    key: SessionKey,
    {
      upTo,
      limit,
      after,
    }: { readonly upTo: number; readonly limit: number; readonly after: MessagePlace | null },
  ): Promise<ConversationPage | null> {
    return this.#parts.run(() => {
      const session = this.#parts.sessions.find(key)?.position;
      if (session === undefined) return null;
      const { acceptedSeq, seq } = after ?? { acceptedSeq: 0, seq: 0 };
      const { rows, cut } = this.#page.upTo(
        { session, upTo, acceptedSeq, seq, limit: limit + 1 },
        MAX_PAGE_SIZE,
        (row) => row.message.length,
      );
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      const more = last !== undefined && (cut || rows.length > limit);
      return {
        messages: shown.map(({ message }) => JSON.parse(message) as Message),
        next: more ? { acceptedSeq: last.accepted_seq, seq: last.seq } : null,
      };
    });
  }

  async begin(key: SessionKey, epoch: string, keepUntil: number): Promise<void> {
    this.#take(() => this.#setEnd(this.#insertStaged(key, epoch), keepUntil));
  }

  async add(...[key, messages, keepUntil]: Parameters<TransferStorage['add']>): Promise<boolean> {
    return this.#take(() => {
      const session = this.#find(key)?.position;
      if (session === undefined) return false;
      this.#setEnd(session, keepUntil);
      for (const { seq, acceptedSeq, message } of messages) {
        const at = Date.parse(message.created_at);
        this.#insertMessage.run({ session, seq, acceptedSeq, message: JSON.stringify(message), at });
      }
      return true;
    });
  }

  async complete(
    session: NewSession,
    headSeq: number,
    room: SessionRoom,
    idempotency?: IdempotencyRecord,
  ): Promise<'created' | TransferRefusal> {
    return this.#take(() => this.#complete(session, headSeq, room, idempotency));
  }

  async abandon(key: SessionKey): Promise<void> {
    this.#parts.run(() =>
      this.#parts.room.make(() =>
        this.#database.transaction(() => {
          const session = this.#find(key)?.position;
          if (session !== undefined) this.#setEnd(session, 0);
        }),
      ),
    );
  }

  #take<Result>(work: () => Result extends Promise<unknown> ? never : Result): Result {
    return this.#parts.run(() => this.#parts.room.take(() => this.#database.transaction(work)));
  }

  /** Returns its position. Its end has to be set. */
  #insertStaged({ tenantId, ownerId, sessionId }: SessionKey, epoch: string): number {
    const query = this.#database.sql.insertInto('sessions').values({
      session_id: sessionId,
      tenant_id: tenantId,
      owner_id: ownerId,
      epoch,
      head_seq: IMPORTING,
      created_at: 0,
      last_interaction_at: 0,
      unfinished_runs: 0,
      deleted_at: 0,
      ...engineColumns(null),
      name: null,
      metadata: '{}',
      kept_since: null,
      forked_from: null,
    });
    return (this.#database.get(query.returning('position')) as { position: number }).position;
  }

  #complete(
    ...[session, headSeq, room, idempotency]: Parameters<TransferStorage['complete']>
  ): 'created' | TransferRefusal {
    const staged = this.#find(session);
    if (staged?.epoch !== session.epoch) return 'not_there';
    const refused = this.#refusal(session, room, idempotency);
    if (refused) return refused;
    const { position } = staged;
    this.#database.all(
      this.#database.sql
        .updateTable('sessions')
        .set(sessionColumns(session, headSeq))
        .where('position', '=', position),
    );
    this.#add(session, { position, headSeq }, idempotency);
    return 'created';
  }

  /** Undefined unless it is being imported. */
  #find({ tenantId, ownerId, sessionId }: SessionKey) {
    return this.#staged.get({ tenantId, ownerId, sessionId, now: Date.now() });
  }

  #setEnd(position: number, at: number): void {
    const query = this.#database.sql.updateTable('sessions').set({ deleted_at: at });
    this.#database.all(query.where('position', '=', position));
  }

  #refusal(
    session: NewSession,
    { maxSessions, maxOfOwner = Number.POSITIVE_INFINITY }: SessionRoom,
    idempotency: IdempotencyRecord | undefined,
  ): TransferRefusal | undefined {
    const { counters } = this.#parts;
    if (idempotency && this.#parts.idempotency.has(idempotency)) return 'idempotency_exists';
    if (counters.totals().sessions >= maxSessions) return 'full';
    return counters.sessionsOf(session) >= maxOfOwner ? 'owner_full' : undefined;
  }

  #add(
    session: NewSession,
    place: Parameters<SessionRows['insertParts']>[1],
    idempotency: IdempotencyRecord | undefined,
  ): void {
    this.#parts.rows.insertParts(session, place);
    this.#parts.counters.addSessions(session, 1);
    if (session.engine) this.#parts.counters.addEngines(1);
    if (idempotency) this.#parts.idempotency.keep(idempotency);
  }
}

/** Whoever imported has died with the process. Inside a transaction. */
export function abandonImports(database: Database): void {
  database.all(
    database.sql
      .updateTable('sessions')
      .set({ head_seq: 0 })
      .where('deleted_at', 'is not', null)
      .where('head_seq', '=', sql.lit(IMPORTING)),
  );
}

/** Of a session that is there from now on, whose log goes on behind `headSeq`. */
function sessionColumns(session: NewSession, headSeq: number) {
  return {
    epoch: session.epoch,
    head_seq: headSeq + session.events.length,
    floor_seq: headSeq,
    created_at: session.createdAt,
    last_interaction_at: session.createdAt,
    deleted_at: null,
    ...engineColumns(session.engine),
    name: session.name,
    metadata: JSON.stringify(session.metadata),
    kept_since: session.events[0]?.createdAt ?? null,
    forked_from: forkColumn(session.forkedFrom),
  };
}
