import { type Selectable, sql } from 'kysely';
import { browserSessionColumns, toBrowserSession } from '../browser-session-row.ts';
import type { BrowserSessionRow, BrowserSessionStorage } from '../browser-sessions.ts';
import { AS_IT_IS } from '../key-row.ts';
import type { BrowserSessionsTable } from '../tables.ts';
import type { Database, Prepared } from './database.ts';
import type { Room } from './room.ts';

export interface BrowserSessionsParts {
  readonly room: Room;
  /** Translates what goes wrong. */
  readonly run: <Result>(work: () => Result) => Result;
}

/** See `BrowserSessionStorage`. */
export class BrowserSessions implements BrowserSessionStorage {
  readonly #database: Database;
  readonly #room: Room;
  readonly #run: BrowserSessionsParts['run'];
  readonly #get: Prepared<{ id: string }, Selectable<BrowserSessionsTable>>;
  readonly #used: Prepared<{ id: string; at: number }, unknown>;
  readonly #delete: Prepared<{ id: string }, unknown>;
  readonly #prune: Prepared<{ now: number; limit: number }, unknown>;

  constructor(database: Database, { room, run }: BrowserSessionsParts) {
    this.#database = database;
    this.#room = room;
    this.#run = run;
    const db = database.sql;
    this.#get = database.prepare((p: { id: string }) =>
      db.selectFrom('browser_sessions').selectAll().where('id', '=', p.id),
    );
    this.#used = database.prepare((p: { id: string; at: number }) =>
      db
        .updateTable('browser_sessions')
        .set({ used_at: p.at })
        .where('id', '=', p.id)
        .where('used_at', '<', p.at),
    );
    this.#delete = database.prepare((p: { id: string }) =>
      db.deleteFrom('browser_sessions').where('id', '=', p.id),
    );
    this.#prune = database.prepare((p: { now: number; limit: number }) =>
      db
        .deleteFrom('browser_sessions')
        .where('position', 'in', (from) =>
          from
            .selectFrom('browser_sessions')
            .select('position')
            .where('expires_at', '<=', p.now)
            .orderBy('expires_at')
            .limit(sql<number>`${p.limit}`),
        ),
    );
  }

  async create(session: BrowserSessionRow, max: number): Promise<readonly string[] | null> {
    const work = () => (this.#insert(session) ? this.#trim(session, max) : null);
    return this.#run(() => this.#room.take(() => this.#database.transaction(work)));
  }

  async get(ids: readonly string[]): Promise<readonly BrowserSessionRow[]> {
    const find = (id: string) => this.#get.all({ id }).map((row) => toBrowserSession(row, AS_IT_IS));
    return this.#run(() => [...new Set(ids)].flatMap(find));
  }

  async used(uses: readonly { readonly id: string; readonly at: number }[]): Promise<void> {
    const work = () => {
      for (const use of uses) this.#used.run(use);
    };
    this.#run(() => this.#room.take(() => this.#database.transaction(work)));
  }

  async delete(id: string): Promise<boolean> {
    return this.#run(() => this.#room.make(() => this.#delete.run({ id }) > 0));
  }

  async prune(now: number, limit: number): Promise<boolean> {
    return this.#run(() => this.#room.make(() => this.#prune.run({ now, limit }) === limit));
  }

  #insert(session: BrowserSessionRow): boolean {
    const query = this.#database.sql
      .insertInto('browser_sessions')
      .values(browserSessionColumns(session, AS_IT_IS))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('position');
    return this.#database.get(query) !== undefined;
  }

  #trim({ tenantId, principalId }: BrowserSessionRow, max: number): string[] {
    const db = this.#database.sql;
    const beyond = db
      .selectFrom('browser_sessions')
      .select('position')
      .where('tenant_id', '=', tenantId)
      .where('principal_id', '=', principalId)
      .orderBy('position', 'desc')
      .limit(-1)
      .offset(max);
    const query = db.deleteFrom('browser_sessions').where('position', 'in', beyond).returning('id');
    return this.#database.all(query).map(({ id }) => id);
  }
}
