import { sql } from 'kysely';
import { toReservation } from '../run-use.ts';
import { forfeit } from '../settlement.ts';
import type { IdempotencyRecord, NewSession, SessionCreation, SessionKey, SessionRow } from '../types.ts';
import { subtractSessions } from './counters.ts';
import type { Database, Sql } from './database.ts';
import { isMissing, isTransient, violates } from './errors.ts';
import { IDEMPOTENCY_KEY, idempotencyColumns } from './idempotency.ts';
import { type Columns, rowsAs } from './rows.ts';
import { insertSession } from './session-insert.ts';
import { OWNER, ofKey, positionOf, scopeColumns, toKey, toSession } from './session-row.ts';
import { encode } from './text.ts';
import { DayDrafts } from './usage-days.ts';

/** The constraint that the second of two sessions of one id violates. */
const SESSION_KEY = 'sessions_key';

interface TouchColumns {
  readonly session_id: string;
  readonly tenant_id: string;
  readonly owner_id: string;
  readonly at: number;
}
const TOUCH: Columns<TouchColumns> = {
  session_id: 'text',
  tenant_id: 'text',
  owner_id: 'text',
  at: 'bigint',
};

export class Sessions {
  readonly #database: Database;
  readonly #sql: Sql;

  constructor(database: Database) {
    this.#database = database;
    this.#sql = database.sql;
  }

  async get(key: SessionKey): Promise<SessionRow | null> {
    const row = await ofKey(this.#sql, key).selectAll('s').executeTakeFirst();
    return row ? toSession(row) : null;
  }

  async create(
    session: NewSession,
    maxSessions: number,
    idempotency?: IdempotencyRecord,
    maxOfOwner?: number,
  ): Promise<SessionCreation> {
    try {
      return await this.#create(session, maxSessions, idempotency, maxOfOwner);
    } catch (error) {
      if (!isTransient(error)) throw error;
    }
    // It may have been made all the same, and may be under way still: nobody else makes one of this epoch.
    if (await this.#isMade(session)) return 'created';
    try {
      return await this.#create(session, maxSessions, idempotency, maxOfOwner);
    } catch (error) {
      if (violates(error, SESSION_KEY) && (await this.#isMade(session))) return 'created';
      throw error;
    }
  }

  async touch(touches: readonly { readonly key: SessionKey; readonly at: number }[]): Promise<void> {
    if (touches.length === 0) return;
    const rows = touches.map(({ key, at }) => ({
      ...scopeColumns(key),
      session_id: encode(key.sessionId),
      at,
    }));
    // Locked in the order in which appends lock them, too.
    await sql`
      with found as materialized (
        select s.position, t.at from ${rowsAs('t', TOUCH, rows)} join sessions s on s.session_id = t.session_id
        where s.tenant_id = t.tenant_id and s.owner_id = t.owner_id and s.deleted_at is null
          and s.last_interaction_at < t.at
        order by s.position for no key update of s
      )
      update sessions set last_interaction_at = greatest(last_interaction_at, latest.at)
      from (select position, max(at) as at from found group by position) as latest
      where sessions.position = latest.position
    `.execute(this.#sql);
  }

  delete(key: SessionKey, idempotency?: IdempotencyRecord): Promise<boolean> {
    return this.#database.transaction(async (db) => {
      const gone = await db
        .updateTable('sessions as s')
        .set({ deleted_at: Date.now() })
        .where('s.position', '=', positionOf(db, key))
        .where('s.deleted_at', 'is', null)
        .returning(['s.position', 's.tenant_id', 's.owner_id', 's.engine_id'])
        .execute();
      for (const session of gone) await forfeitReserved(db, session);
      await subtractSessions(db, gone);
      if (gone.length > 0 && idempotency) {
        await db
          .insertInto('idempotency')
          .values(idempotencyColumns(idempotency))
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
      return gone.length > 0;
    });
  }

  expire(untouchedSince: number, limit: number): Promise<SessionKey[]> {
    return this.#database.transaction(async (db) => {
      // Who is in use right now is not untouched, so nobody is waited for.
      const doomed = db
        .selectFrom('sessions')
        .select('position')
        .where('deleted_at', 'is', null)
        .where('unfinished_runs', '=', sql.lit(0))
        .where('last_interaction_at', '<', untouchedSince)
        .orderBy('last_interaction_at')
        .limit(limit)
        .forUpdate()
        .skipLocked();
      const gone = await db
        .updateTable('sessions as s')
        .set({ deleted_at: Date.now() })
        .where('s.position', '=', sql<number>`any (array(${doomed}))`)
        .returning([...OWNER, 's.engine_id', 's.last_interaction_at'])
        .execute();
      await subtractSessions(db, gone);
      return gone.toSorted((a, b) => a.last_interaction_at - b.last_interaction_at).map(toKey);
    });
  }

  async nextExpiry(): Promise<number | null> {
    const row = await this.#sql
      .selectFrom('sessions')
      .select('last_interaction_at')
      .where('deleted_at', 'is', null)
      .where('unfinished_runs', '=', sql.lit(0))
      .orderBy('last_interaction_at')
      .limit(1)
      .executeTakeFirst();
    return row?.last_interaction_at ?? null;
  }

  async #isMade(session: NewSession): Promise<boolean> {
    return (await this.get(session))?.epoch === session.epoch;
  }

  async #create(
    session: NewSession,
    maxSessions: number,
    idempotency: IdempotencyRecord | undefined,
    maxOfOwner: number | undefined,
  ): Promise<SessionCreation> {
    const record = idempotency && idempotencyColumns(idempotency);
    try {
      const { rows } = await insertSession(session, maxSessions, record, maxOfOwner).execute(this.#sql);
      if (rows.length > 0) return 'created';
    } catch (error) {
      if (violates(error, IDEMPOTENCY_KEY)) return 'idempotency_exists';
      if (isMissing(error, 'owners', 'sessions')) return 'owner_full';
      throw error;
    }
    if (!record) return 'full';
    const kept = await this.#sql
      .selectFrom('idempotency')
      .select('created_at')
      .where('tenant_id', '=', record.tenant_id)
      .where('owner_id', '=', record.owner_id)
      .where('idempotency_key', '=', record.idempotency_key)
      .execute();
    return kept.length > 0 ? 'idempotency_exists' : 'full';
  }
}

/** Nobody will ever say what the calls under way have used. */
async function forfeitReserved(
  db: Sql,
  { position, tenant_id, owner_id }: { position: number; tenant_id: string; owner_id: string },
): Promise<void> {
  const runs = await db
    .selectFrom('runs')
    .select('reserved')
    .where('session', '=', position)
    .where('finished_at', 'is', null)
    .where('reserved', 'is not', null)
    .execute();
  const days = new DayDrafts();
  for (const { reserved } of runs) {
    const change = forfeit(toReservation(reserved));
    if (change) days.add({ tenant_id, owner_id, day: change.day }, change);
  }
  await days.flush(db);
}
