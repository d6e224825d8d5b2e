import { sql } from 'kysely';
import type { IdempotencyRecord, Scope } from '../types.ts';
import type { Sql } from './database.ts';
import { type Columns, insertRows } from './rows.ts';
import { scopeColumns } from './session-row.ts';
import { decode, encode, indexed } from './text.ts';

/** The constraint that the second of two records of one key violates. */
export const IDEMPOTENCY_KEY = 'idempotency_of_owner';

export interface IdempotencyColumns {
  readonly tenant_id: string;
  readonly owner_id: string;
  readonly idempotency_key: string;
  readonly body_hash: string;
  readonly response: string;
  readonly created_at: number;
}
const COLUMNS: Columns<IdempotencyColumns> = {
  tenant_id: 'text',
  owner_id: 'text',
  idempotency_key: 'text',
  body_hash: 'text',
  response: 'text',
  created_at: 'bigint',
};

export class Idempotency {
  readonly #sql: Sql;

  constructor(db: Sql) {
    this.#sql = db;
  }

  async get(scope: Scope, idempotencyKey: string): Promise<IdempotencyRecord | null> {
    const { tenant_id, owner_id } = scopeColumns(scope);
    const row = await this.#sql
      .selectFrom('idempotency')
      .select(['body_hash', 'response', 'created_at'])
      .where('tenant_id', '=', tenant_id)
      .where('owner_id', '=', owner_id)
      .where('idempotency_key', '=', indexed(idempotencyKey))
      .executeTakeFirst();
    if (!row) return null;
    return {
      tenantId: scope.tenantId,
      ownerId: scope.ownerId,
      idempotencyKey,
      bodyHash: decode(row.body_hash),
      response: row.response,
      createdAt: row.created_at,
    };
  }

  async prune(createdBefore: number, limit: number): Promise<boolean> {
    // Skips what another process removes already.
    const { rows } = await sql`
      delete from idempotency where ctid = any (array(
        select ctid from idempotency where created_at < ${createdBefore}
        order by created_at limit ${limit} for update skip locked
      )) returning 1
    `.execute(this.#sql);
    if (rows.length < limit) return false;
    const more = await this.#sql
      .selectFrom('idempotency')
      .select('created_at')
      .where('created_at', '<', createdBefore)
      .orderBy('created_at')
      .limit(1)
      .execute();
    return more.length > 0;
  }
}

export function idempotencyColumns(record: IdempotencyRecord): IdempotencyColumns {
  return {
    ...scopeColumns(record),
    idempotency_key: indexed(record.idempotencyKey),
    body_hash: encode(record.bodyHash),
    response: record.response,
    created_at: record.createdAt,
  };
}

/** Inside a transaction. Rejects when there is one of the same key, see `IDEMPOTENCY_KEY`. */
export async function keepAnswers(db: Sql, records: readonly IdempotencyColumns[]): Promise<void> {
  if (records.length > 0) await insertRows('idempotency', COLUMNS, records).execute(db);
}
