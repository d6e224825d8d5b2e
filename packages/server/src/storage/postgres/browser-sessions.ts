import { sql } from 'kysely';
import { browserSessionColumns, toBrowserSession } from '../browser-session-row.ts';
import type { BrowserSessionRow, BrowserSessionStorage } from '../browser-sessions.ts';
import type { TextCode } from '../key-row.ts';
import type { Database, Sql } from './database.ts';
import { decode, encode } from './text.ts';

type Work = <Result>(work: () => Promise<Result>) => Promise<Result>;

export interface BrowserSessionsParts {
  /** Translates what goes wrong. */
  readonly run: Work;
  /** The same, for what may be done twice. */
  readonly again: Work;
}

const TEXT: TextCode = { encode, decode };
/** Any number: locks of this kind are told apart from others by it. */
const OWNER_LOCKS = 1_641_902;

/** See `BrowserSessionStorage`. */
export class BrowserSessions implements BrowserSessionStorage {
  readonly #database: Database;
  readonly #run: Work;
  readonly #again: Work;

  constructor(database: Database, { run, again }: BrowserSessionsParts) {
    this.#database = database;
    this.#run = run;
    this.#again = again;
  }

  async create(session: BrowserSessionRow, max: number): Promise<readonly string[] | null> {
    return this.#run(() =>
      this.#database.transaction(async (db) => {
        // Of two at once, the second has to see the first, or neither would be the one too many.
        const owner = JSON.stringify([session.tenantId, session.principalId]);
        await sql`select pg_advisory_xact_lock(${OWNER_LOCKS}::int, hashtext(${encode(owner)}))`.execute(db);
        return (await insert(db, session)) ? trim(db, session, max) : null;
      }),
    );
  }

  async get(ids: readonly string[]): Promise<readonly BrowserSessionRow[]> {
    const encoded = ids.map(encode);
    const rows = await this.#again(() =>
      this.#database.sql
        .selectFrom('browser_sessions')
        .selectAll()
        .where('id', '=', sql<string>`any(${encoded}::text[])`)
        .execute(),
    );
    return rows.map((row) => toBrowserSession(row, TEXT));
  }

  async used(uses: readonly { readonly id: string; readonly at: number }[]): Promise<void> {
    // In one order, so that no two processes wait for each other.
    const inOrder = uses.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const ids = inOrder.map(({ id }) => encode(id));
    const times = inOrder.map(({ at }) => at);
    await this.#again(() =>
      sql`with uses as (
          select b.position, u.at from unnest(${ids}::text[], ${times}::bigint[]) as u (id, at)
            join browser_sessions as b on b.id = u.id
            where b.used_at < u.at
            order by b.id for no key update of b
        )
        update browser_sessions set used_at = greatest(used_at, uses.at) from uses
          where browser_sessions.position = uses.position`.execute(this.#database.sql),
    );
  }

  async delete(id: string): Promise<boolean> {
    const { numDeletedRows } = await this.#again(() =>
      this.#database.sql.deleteFrom('browser_sessions').where('id', '=', encode(id)).executeTakeFirst(),
    );
    return numDeletedRows > 0n;
  }

  async prune(now: number, limit: number): Promise<boolean> {
    const { numDeletedRows } = await this.#again(() =>
      this.#database.sql
        .deleteFrom('browser_sessions')
        .where('position', 'in', (from) =>
          from
            .selectFrom('browser_sessions')
            .select('position')
            .where('expires_at', '<=', now)
            .orderBy('expires_at')
            .limit(limit)
            // What another process removes right now is not waited for.
            .forUpdate()
            .skipLocked(),
        )
        .executeTakeFirst(),
    );
    return numDeletedRows === BigInt(limit);
  }
}

async function insert(db: Sql, session: BrowserSessionRow): Promise<boolean> {
  const row = await db
    .insertInto('browser_sessions')
    .values(browserSessionColumns(session, TEXT))
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('position')
    .executeTakeFirst();
  return row !== undefined;
}

async function trim(db: Sql, session: BrowserSessionRow, max: number): Promise<string[]> {
  const beyond = db
    .selectFrom('browser_sessions')
    .select('position')
    .where('tenant_id', '=', encode(session.tenantId))
    .where('principal_id', '=', encode(session.principalId))
    .orderBy('position', 'desc')
    .offset(max);
  const rows = await db
    .deleteFrom('browser_sessions')
    .where('position', 'in', beyond)
    .returning('id')
    .execute();
  return rows.map(({ id }) => decode(id));
}
