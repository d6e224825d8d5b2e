import { type Selectable, sql } from 'kysely';
import { AS_IT_IS, changedColumns, keyColumns, scopesColumn, toKey } from '../key-row.ts';
import type { KeyChanges, KeyPage, KeyQuery, KeyRow, KeyStorage, KeySuccessor, NewKey } from '../keys.ts';
import type { KeysTable } from '../tables.ts';
import type { Database, Prepared } from './database.ts';
import type { Room } from './room.ts';

type Key = Selectable<KeysTable>;

export interface KeysParts {
  readonly room: Room;
  /** Translates what goes wrong. */
  readonly run: <Result>(work: () => Result) => Result;
}

/** See `KeyStorage`. */
export class Keys implements KeyStorage {
  readonly #database: Database;
  readonly #room: Room;
  readonly #run: KeysParts['run'];
  readonly #get: Prepared<{ keyId: string }, Key>;
  readonly #revoke: Prepared<{ keyId: string; at: number }, unknown>;
  readonly #used: Prepared<{ keyId: string; at: number }, unknown>;

  constructor(database: Database, { room, run }: KeysParts) {
    this.#database = database;
    this.#room = room;
    this.#run = run;
    const db = database.sql;
    this.#get = database.prepare((p: { keyId: string }) =>
      db.selectFrom('keys').selectAll().where('key_id', '=', p.keyId),
    );
    this.#revoke = database.prepare((p: { keyId: string; at: number }) =>
      db
        .updateTable('keys')
        .set({ revoked_at: sql<number>`coalesce(revoked_at, ${p.at})` })
        .where('key_id', '=', p.keyId),
    );
    this.#used = database.prepare((p: { keyId: string; at: number }) =>
      db
        .updateTable('keys')
        .set({ last_used_at: p.at })
        .where('key_id', '=', p.keyId)
        .where(sql<number>`coalesce(last_used_at, -1)`, '<', p.at),
    );
  }

  async create(key: NewKey): Promise<boolean> {
    return this.#run(() => this.#room.take(() => this.#insert(key)));
  }

  async get(keyIds: readonly string[]): Promise<readonly KeyRow[]> {
    const find = (keyId: string) => this.#get.all({ keyId }).map((row) => toKey(row, AS_IT_IS));
    return this.#run(() => [...new Set(keyIds)].flatMap(find));
  }

  async list({ limit, before = Number.MAX_SAFE_INTEGER, tenantId }: KeyQuery): Promise<KeyPage> {
    let query = this.#database.sql
      .selectFrom('keys')
      .selectAll()
      .where('position', '<', before)
      .orderBy('position', 'desc')
      .limit(limit + 1);
    if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId);
    const rows = this.#run(() => this.#database.all(query));
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return { keys: page.map((row) => toKey(row, AS_IT_IS)), next: last?.position ?? null };
  }

  async change(seen: KeyRow, changes: KeyChanges, now: number): Promise<boolean> {
    const columns = changedColumns(changes, AS_IT_IS);
    return this.#run(() => this.#room.take(() => this.#update(seen, columns, now)));
  }

  async rotate(seen: KeyRow, successor: KeySuccessor, until: number): Promise<boolean> {
    const expires_at = Math.min(seen.expiresAt ?? until, until);
    const columns = { expires_at, successor_id: successor.keyId };
    const work = () =>
      this.#update(seen, columns, successor.createdAt) && this.#insert({ ...seen, ...successor });
    return this.#run(() => this.#room.take(() => this.#database.transaction(work)));
  }

  async revoke(keyId: string, at: number): Promise<boolean> {
    return this.#run(() => this.#room.make(() => this.#revoke.run({ keyId, at }) > 0));
  }

  async used(uses: readonly { readonly keyId: string; readonly at: number }[]): Promise<void> {
    const work = () => {
      for (const use of uses) this.#used.run(use);
    };
    this.#run(() => this.#room.take(() => this.#database.transaction(work)));
  }

  #insert(key: NewKey): boolean {
    const query = this.#database.sql
      .insertInto('keys')
      .values(keyColumns(key, AS_IT_IS))
      .onConflict((conflict) => conflict.column('key_id').doNothing())
      .returning('position');
    return this.#database.get(query) !== undefined;
  }

  /** False when the key is not as it was seen. */
  #update(seen: KeyRow, columns: Partial<Key>, now: number): boolean {
    const query = this.#database.sql
      .updateTable('keys')
      .set({ ...columns, key_id: seen.keyId })
      .where('key_id', '=', seen.keyId)
      .where('revoked_at', 'is', null)
      .where('role', '=', seen.role)
      .where('scopes', 'is', scopesColumn(seen.scopes))
      .where('expires_at', 'is', seen.expiresAt)
      .where('successor_id', 'is', seen.successorId)
      .where(sql<number>`coalesce(expires_at, ${now} + 1)`, '>', now)
      .returning('position');
    return this.#database.get(query) !== undefined;
  }
}
