import { type Selectable, sql } from 'kysely';
import { changedColumns, keyColumns, scopesColumn, type TextCode, toKey } from '../key-row.ts';
import type { KeyChanges, KeyPage, KeyQuery, KeyRow, KeyStorage, KeySuccessor, NewKey } from '../keys.ts';
import type { KeysTable } from '../tables.ts';
import type { Database, Sql } from './database.ts';
import { decode, encode, encodeNullable } from './text.ts';

type Work = <Result>(work: () => Promise<Result>) => Promise<Result>;

export interface KeysParts {
  /** Translates what goes wrong. */
  readonly run: Work;
  /** The same, for what may be done twice. */
  readonly again: Work;
}

const TEXT: TextCode = { encode, decode };

/** See `KeyStorage`. */
export class Keys implements KeyStorage {
  readonly #database: Database;
  readonly #run: Work;
  readonly #again: Work;

  constructor(database: Database, { run, again }: KeysParts) {
    this.#database = database;
    this.#run = run;
    this.#again = again;
  }

  async create(key: NewKey): Promise<boolean> {
    return this.#run(() => insert(this.#database.sql, key));
  }

  async get(keyIds: readonly string[]): Promise<readonly KeyRow[]> {
    const ids = keyIds.map(encode);
    const rows = await this.#again(() =>
      this.#database.sql
        .selectFrom('keys')
        .selectAll()
        .where('key_id', '=', sql<string>`any(${ids}::text[])`)
        .execute(),
    );
    return rows.map((row) => toKey(row, TEXT));
  }

  async list({ limit, before = Number.MAX_SAFE_INTEGER, tenantId }: KeyQuery): Promise<KeyPage> {
    let query = this.#database.sql
      .selectFrom('keys')
      .selectAll()
      .where('position', '<', before)
      .orderBy('position', 'desc')
      .limit(limit + 1);
    if (tenantId !== undefined) query = query.where('tenant_id', '=', encode(tenantId));
    const rows = await this.#again(() => query.execute());
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return { keys: page.map((row) => toKey(row, TEXT)), next: last?.position ?? null };
  }

  async change(seen: KeyRow, changes: KeyChanges, now: number): Promise<boolean> {
    return this.#run(() => update(this.#database.sql, seen, changedColumns(changes, TEXT), now));
  }

  async rotate(seen: KeyRow, successor: KeySuccessor, until: number): Promise<boolean> {
    const expires_at = Math.min(seen.expiresAt ?? until, until);
    const columns = { expires_at, successor_id: encode(successor.keyId) };
    return this.#run(() =>
      this.#database.transaction(
        async (db) =>
          (await update(db, seen, columns, successor.createdAt)) && insert(db, { ...seen, ...successor }),
      ),
    );
  }

  async revoke(keyId: string, at: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#again(() =>
      this.#database.sql
        .updateTable('keys')
        .set({ revoked_at: sql<number>`coalesce(revoked_at, ${at}::bigint)` })
        .where('key_id', '=', encode(keyId))
        .executeTakeFirst(),
    );
    return numUpdatedRows > 0n;
  }

  async used(uses: readonly { readonly keyId: string; readonly at: number }[]): Promise<void> {
    // In one order, so that no two processes wait for each other.
    const inOrder = uses.toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1));
    const ids = inOrder.map(({ keyId }) => encode(keyId));
    const times = inOrder.map(({ at }) => at);
    await this.#again(() =>
      sql`with uses as (
          select k.position, u.at from unnest(${ids}::text[], ${times}::bigint[]) as u (key_id, at)
            join keys as k on k.key_id = u.key_id
            where coalesce(k.last_used_at, -1) < u.at
            order by k.key_id for no key update of k
        )
        update keys set last_used_at = greatest(last_used_at, uses.at) from uses
          where keys.position = uses.position`.execute(this.#database.sql),
    );
  }
}

async function insert(db: Sql, key: NewKey): Promise<boolean> {
  const row = await db
    .insertInto('keys')
    .values(keyColumns(key, TEXT))
    .onConflict((conflict) => conflict.column('key_id').doNothing())
    .returning('position')
    .executeTakeFirst();
  return row !== undefined;
}

/** False when the key is not as it was seen. */
async function update(
  db: Sql,
  seen: KeyRow,
  columns: Partial<Selectable<KeysTable>>,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('keys')
    .set({ ...columns, key_id: encode(seen.keyId) })
    .where('key_id', '=', encode(seen.keyId))
    .where('revoked_at', 'is', null)
    .where('role', '=', encode(seen.role))
    .where('scopes', 'is not distinct from', scopesColumn(seen.scopes))
    .where('expires_at', 'is not distinct from', seen.expiresAt)
    .where('successor_id', 'is not distinct from', encodeNullable(seen.successorId))
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
