import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../types.ts';
import type { Sql } from './database.ts';
import { type Columns, rowsAs } from './rows.ts';
import { scopeColumns } from './session-row.ts';

interface OwnedChange {
  readonly tenant_id: string;
  readonly owner_id: string;
  readonly sessions: number;
}
const OWNED: Columns<OwnedChange> = { tenant_id: 'text', owner_id: 'text', sessions: 'bigint' };

/**
 * How many sessions and engines there are, without counting them. Changed in the transaction of what is counted. Every
 * transaction locks in the same order: rows of sessions, the number of sessions, the number of engines, owners.
 */
export class Counters {
  readonly #sql: Sql;

  constructor(db: Sql) {
    this.#sql = db;
  }

  async sessionsOf(scope: Scope): Promise<number> {
    const { tenant_id, owner_id } = scopeColumns(scope);
    const row = await this.#sql
      .selectFrom('owners')
      .select('sessions')
      .where('tenant_id', '=', tenant_id)
      .where('owner_id', '=', owner_id)
      .executeTakeFirst();
    return row?.sessions ?? 0;
  }

  async totals(): Promise<{ readonly sessions: number; readonly engines: number }> {
    const rows = await this.#sql.selectFrom('meta').selectAll().execute();
    const read = (key: string): number => {
      const row = rows.find((one) => one.key === key);
      if (!row) throw new Error(`The database has lost its number "${key}"`);
      return row.value;
    };
    return { sessions: read('sessions'), engines: read('engines') };
  }
}

/** Inside a transaction. */
export async function addEngines(db: Sql, change: number): Promise<void> {
  await addTo('engines', change).execute(db);
}

/** Sessions were deleted. Inside a transaction. */
export async function subtractSessions(
  db: Sql,
  gone: readonly {
    readonly tenant_id: string;
    readonly owner_id: string;
    readonly engine_id: string | null;
  }[],
): Promise<void> {
  if (gone.length === 0) return;
  await addTo('sessions', -gone.length).execute(db);
  const engines = gone.filter(({ engine_id }) => engine_id !== null).length;
  if (engines > 0) await addEngines(db, -engines);
  const owners = new Map<string, OwnedChange>();
  for (const { tenant_id, owner_id } of gone) {
    const name = JSON.stringify([tenant_id, owner_id]);
    owners.set(name, { tenant_id, owner_id, sessions: (owners.get(name)?.sessions ?? 0) + 1 });
  }
  const changes = [...owners].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change);
  // One after the other, so that two transactions never wait for each other.
  await sql`
    with mine as materialized (
      select o.tenant_id, o.owner_id, c.sessions from ${rowsAs('c', OWNED, changes)}
      join owners o on o.tenant_id = c.tenant_id and o.owner_id = c.owner_id
      order by o.tenant_id, o.owner_id for no key update of o
    )
    update owners set sessions = owners.sessions - mine.sessions from mine
    where owners.tenant_id = mine.tenant_id and owners.owner_id = mine.owner_id
  `.execute(db);
}

export function addTo(key: 'sessions' | 'engines', change: number): RawBuilder<unknown> {
  return sql`update meta set value = value + ${change} where key = ${sql.lit(key)}`;
}
