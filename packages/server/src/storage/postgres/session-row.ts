import type { Selectable } from 'kysely';
import { toSession as fromColumns } from '../session-row.ts';
import type { SessionsTable } from '../tables.ts';
import type { EngineRow, Scope, SessionKey, SessionRow } from '../types.ts';
import type { Sql } from './database.ts';
import { decode, decodeNullable, encode, encodeNullable } from './text.ts';

export type Owner = Pick<SessionsTable, 'session_id' | 'tenant_id' | 'owner_id'>;
export const OWNER = ['s.session_id', 's.tenant_id', 's.owner_id'] as const;

interface FoundSession {
  readonly position: number;
  readonly epoch: string;
  readonly head_seq: number;
}

/** Undefined when it is not there, deleted, or somebody else's. */
export function findSession(db: Sql, key: SessionKey): Promise<FoundSession | undefined> {
  return ofKey(db, key).select(['s.position', 's.epoch', 's.head_seq']).executeTakeFirst();
}

/**
 * The same as a value inside of a query: nothing is equal to the position of a session that is not there. Unlike a join, it
 * lets the database see that all rows are of one session, and so in the order of the index.
 */
export function positionOf(db: Sql, key: SessionKey) {
  return ofKey(db, key).select('s.position');
}

export function ofKey(db: Sql, { tenantId, ownerId, sessionId }: SessionKey) {
  return db
    .selectFrom('sessions as s')
    .where('s.session_id', '=', encode(sessionId))
    .where('s.tenant_id', '=', encode(tenantId))
    .where('s.owner_id', '=', encode(ownerId))
    .where('s.deleted_at', 'is', null);
}

export function scopeColumns({ tenantId, ownerId }: Scope): { tenant_id: string; owner_id: string } {
  return { tenant_id: encode(tenantId), owner_id: encode(ownerId) };
}

export function engineColumns(
  engine: EngineRow | null,
): Pick<SessionsTable, 'engine_id' | 'engine_type' | 'engine_config' | 'engine_status'> {
  return {
    engine_id: encodeNullable(engine?.engineId ?? null),
    engine_type: encodeNullable(engine?.engineType ?? null),
    engine_config: engine ? JSON.stringify(engine.config) : null,
    engine_status: engine?.status ?? null,
  };
}

export function toKey(row: Owner): SessionKey {
  return {
    tenantId: decode(row.tenant_id),
    ownerId: decode(row.owner_id),
    sessionId: decode(row.session_id),
  };
}

export function toSession(row: Selectable<SessionsTable>): SessionRow {
  return {
    ...fromColumns({
      ...row,
      name: decodeNullable(row.name),
      epoch: decode(row.epoch),
      engine_id: decodeNullable(row.engine_id),
      engine_type: decodeNullable(row.engine_type),
    }),
    ...toKey(row),
  };
}
