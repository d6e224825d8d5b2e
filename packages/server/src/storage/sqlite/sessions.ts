import { type Selectable, sql } from 'kysely';
import { toReservation } from '../run-use.ts';
import { toSession } from '../session-row.ts';
import { forfeit } from '../settlement.ts';
import type { SessionsTable } from '../tables.ts';
import type { IdempotencyRecord, SessionKey, SessionRow } from '../types.ts';
import type { Counters } from './counters.ts';
import type { Database, Prepared } from './database.ts';
import type { Idempotency } from './idempotency.ts';
import type { UsageDays } from './usage-days.ts';

/** What reads of a session need to know about it. `position` is the way to its rows; only `find` gives it out. */
export interface FoundSession {
  readonly position: number;
  readonly epoch: string;
  readonly head_seq: number;
  readonly unfinished_runs: number;
  readonly engine_id: string | null;
}

type KeyArgs = { tenantId: string; ownerId: string; sessionId: string };
type Doomed = FoundSession & Pick<SessionsTable, 'session_id' | 'tenant_id' | 'owner_id'>;

export class Sessions {
  readonly #database: Database;
  readonly #counters: Counters;
  readonly #idempotency: Idempotency;
  readonly #days: UsageDays;
  readonly #find: Prepared<KeyArgs, FoundSession>;
  readonly #get: Prepared<KeyArgs, Selectable<SessionsTable>>;
  readonly #touch: Prepared<KeyArgs & { at: number }, unknown>;
  readonly #markDeleted: Prepared<{ position: number; at: number }, unknown>;
  readonly #untouched: Prepared<{ before: number; limit: number }, Doomed>;
  readonly #reserved: Prepared<{ position: number }, { reserved: string | null }>;
  readonly #nextExpiry: Prepared<object, { last_interaction_at: number }>;

  constructor(
    database: Database,
    parts: { readonly counters: Counters; readonly idempotency: Idempotency; readonly days: UsageDays },
  ) {
    this.#database = database;
    this.#counters = parts.counters;
    this.#idempotency = parts.idempotency;
    this.#days = parts.days;
    const db = database.sql;
    const found = ['position', 'epoch', 'head_seq', 'unfinished_runs', 'engine_id'] as const;
    const atRest = db
      .selectFrom('sessions')
      .where('deleted_at', 'is', null)
      .where('unfinished_runs', '=', sql.lit(0));

    this.#find = database.prepare((p: KeyArgs) =>
      db
        .selectFrom('sessions')
        .select(found)
        .where('session_id', '=', p.sessionId)
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId)
        .where('deleted_at', 'is', null),
    );
    this.#get = database.prepare((p: KeyArgs) =>
      db
        .selectFrom('sessions')
        .selectAll()
        .where('session_id', '=', p.sessionId)
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId)
        .where('deleted_at', 'is', null),
    );
    this.#touch = database.prepare((p: KeyArgs & { at: number }) =>
      db
        .updateTable('sessions')
        .set({ last_interaction_at: p.at })
        .where('session_id', '=', p.sessionId)
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId)
        .where('deleted_at', 'is', null)
        .where('last_interaction_at', '<', p.at),
    );
    this.#markDeleted = database.prepare((p: { position: number; at: number }) =>
      db.updateTable('sessions').set({ deleted_at: p.at }).where('position', '=', p.position),
    );
    this.#untouched = database.prepare((p: { before: number; limit: number }) =>
      atRest
        .select([...found, 'session_id', 'tenant_id', 'owner_id'])
        .where('last_interaction_at', '<', p.before)
        .orderBy('last_interaction_at')
        .limit(p.limit),
    );
    this.#reserved = database.prepare((p: { position: number }) =>
      db
        .selectFrom('runs')
        .select('reserved')
        .where('session', '=', p.position)
        .where('finished_at', 'is', null)
        .where('reserved', 'is not', null),
    );
    this.#nextExpiry = database.prepare(() =>
      atRest.select('last_interaction_at').orderBy('last_interaction_at').limit(1),
    );
  }

  /** Null when it is not there, deleted, or somebody else's. */
  find({ tenantId, ownerId, sessionId }: SessionKey): FoundSession | null {
    return this.#find.get({ tenantId, ownerId, sessionId }) ?? null;
  }

  get({ tenantId, ownerId, sessionId }: SessionKey): SessionRow | null {
    const row = this.#get.get({ tenantId, ownerId, sessionId });
    return row ? toSession(row) : null;
  }

  touch(touches: readonly { readonly key: SessionKey; readonly at: number }[]): void {
    this.#database.transaction(() => {
      for (const { key, at } of touches) this.touchOne(key, at);
    });
  }

  /** Inside a transaction of the caller. */
  touchOne({ tenantId, ownerId, sessionId }: SessionKey, at: number): void {
    this.#touch.run({ tenantId, ownerId, sessionId, at });
  }

  delete(key: SessionKey, idempotency?: IdempotencyRecord): boolean {
    return this.#database.transaction(() => {
      const session = this.find(key);
      if (!session) return false;
      this.#bury(session, key);
      if (idempotency) this.#idempotency.keep(idempotency);
      return true;
    });
  }

  expire(untouchedSince: number, limit: number): SessionKey[] {
    return this.#database.transaction(() =>
      this.#untouched.all({ before: untouchedSince, limit }).map((session) => {
        const key = { tenantId: session.tenant_id, ownerId: session.owner_id, sessionId: session.session_id };
        this.#bury(session, key);
        return key;
      }),
    );
  }

  nextExpiry(): number | null {
    return this.#nextExpiry.get({})?.last_interaction_at ?? null;
  }

  #bury(session: FoundSession, key: SessionKey): void {
    this.#markDeleted.run({ position: session.position, at: Date.now() });
    this.#counters.addSessions(key, -1);
    if (session.engine_id !== null) this.#counters.addEngines(-1);
    if (session.unfinished_runs > 0) this.#forfeit(session, key);
  }

  /** Nobody will ever say what the calls under way have used. */
  #forfeit({ position }: FoundSession, key: SessionKey): void {
    for (const { reserved } of this.#reserved.all({ position })) {
      const change = forfeit(toReservation(reserved));
      if (change) this.#days.add(key, change);
    }
  }
}
