import { sql } from 'kysely';
import type { IdempotencyTable } from '../tables.ts';
import type { IdempotencyRecord, Scope } from '../types.ts';
import type { Database, Prepared } from './database.ts';

type KeyArgs = { tenantId: string; ownerId: string; idempotencyKey: string };

/** What mutating calls answered. */
export class Idempotency {
  readonly #database: Database;
  readonly #get: Prepared<KeyArgs, Pick<IdempotencyTable, 'body_hash' | 'created_at' | 'response'>>;
  readonly #insert: Prepared<IdempotencyRecord, unknown>;
  readonly #prune: Prepared<{ before: number; limit: number }, unknown>;
  readonly #older: Prepared<{ before: number }, unknown>;

  constructor(database: Database) {
    this.#database = database;
    const db = database.sql;
    this.#get = database.prepare((p: KeyArgs) =>
      db
        .selectFrom('idempotency')
        .select(['body_hash', 'created_at', 'response'])
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId)
        .where('idempotency_key', '=', p.idempotencyKey),
    );
    this.#insert = database.prepare((p: IdempotencyRecord) =>
      db
        .insertInto('idempotency')
        .values({
          tenant_id: p.tenantId,
          owner_id: p.ownerId,
          idempotency_key: p.idempotencyKey,
          body_hash: p.bodyHash,
          created_at: p.createdAt,
          response: p.response,
        })
        .onConflict((conflict) => conflict.doNothing()),
    );
    const older = (before: number) =>
      db.selectFrom('idempotency').where('created_at', '<', before).orderBy('created_at');
    this.#prune = database.prepare((p: { before: number; limit: number }) =>
      db
        .deleteFrom('idempotency')
        .where(sql.ref('rowid'), 'in', older(p.before).select(sql.ref('rowid').as('row')).limit(p.limit)),
    );
    this.#older = database.prepare((p: { before: number }) =>
      older(p.before).select(sql.lit(1).as('one')).limit(sql.lit(1)),
    );
  }

  get({ tenantId, ownerId }: Scope, idempotencyKey: string): IdempotencyRecord | null {
    const row = this.#get.get({ tenantId, ownerId, idempotencyKey });
    if (!row) return null;
    const { body_hash: bodyHash, created_at: createdAt, response } = row;
    return { tenantId, ownerId, idempotencyKey, bodyHash, createdAt, response };
  }

  /** Inside a transaction of the caller. */
  has({ tenantId, ownerId, idempotencyKey }: IdempotencyRecord): boolean {
    return this.#get.get({ tenantId, ownerId, idempotencyKey }) !== undefined;
  }

  /** Inside a transaction of the caller. A record that is there already is left as it is. */
  keep(record: IdempotencyRecord): void {
    this.#insert.run(record);
  }

  prune(createdBefore: number, limit: number): boolean {
    return this.#database.transaction(() => {
      const removed = this.#prune.run({ before: createdBefore, limit });
      return removed === limit && this.#older.get({ before: createdBefore }) !== undefined;
    });
  }
}
