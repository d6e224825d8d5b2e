import { type RawBuilder, sql } from 'kysely';
import { type Amounts, NOTHING, plus, type UseChange } from '../budget.ts';
import type { UsageDaysTable } from '../tables.ts';
import type { DayUse, Scope } from '../types.ts';
import { countsOf, type DayCounts, takenOn, toDayUse } from '../usage-day-row.ts';
import type { Sql } from './database.ts';
import { type Columns, insertRows } from './rows.ts';
import { scopeColumns } from './session-row.ts';

/** As its columns hold it. */
export interface DayName {
  readonly tenant_id: string;
  readonly owner_id: string;
  readonly day: string;
}

const DAY: Columns<UsageDaysTable> = {
  tenant_id: 'text',
  owner_id: 'text',
  day: 'text',
  input_tokens: 'bigint',
  output_tokens: 'bigint',
  total_tokens: 'bigint',
  cached_input_tokens: 'bigint',
  reasoning_tokens: 'bigint',
  cost: 'float8',
  steps: 'bigint',
  elapsed_ms: 'float8',
  reserved_tokens: 'bigint',
  reserved_cost: 'float8',
  reserved_steps: 'bigint',
  reserved_ms: 'float8',
};
const { tenant_id: _tenant, owner_id: _owner, day: _day, ...COUNTS } = DAY;

/** What a batch finds of the days of owners, and adds to them. */
export class DayDrafts {
  readonly #found = new Map<string, Amounts>();
  readonly #changes = new Map<string, { readonly name: DayName; readonly counts: DayCounts }>();
  readonly #added = new Map<string, Amounts>();

  /** Locks the rows of these days, so that nobody else passes on what is left of them. */
  async lock(db: Sql, names: readonly DayName[]): Promise<void> {
    const none = countsOf({ day: '', usage: null, steps: 0, elapsedMs: 0, reserved: NOTHING });
    const rows = inOrder(names.map((name) => ({ ...name, ...none })));
    const { rows: found } = await sql<UsageDaysTable>`${upsert(rows)} returning *`.execute(db);
    for (const row of found) this.#found.set(nameOf(row), takenOn(row));
  }

  /** What is taken of a day, by what this batch has done already, too. */
  taken(name: DayName): Amounts {
    const key = nameOf(name);
    return plus(this.#found.get(key) ?? NOTHING, this.#added.get(key) ?? NOTHING);
  }

  add(name: DayName, change: UseChange): void {
    const key = nameOf(name);
    const counts = countsOf(change);
    const before = this.#changes.get(key)?.counts;
    this.#changes.set(key, { name, counts: before ? sum(before, counts) : counts });
    this.#added.set(key, plus(this.#added.get(key) ?? NOTHING, takenOn(counts)));
  }

  /** Inside a transaction that has locked the sessions before. */
  async flush(db: Sql): Promise<void> {
    const rows = [...this.#changes.values()].map(({ name, counts }) => ({ ...name, ...counts }));
    if (rows.length > 0) await upsert(inOrder(rows)).execute(db);
  }
}

export async function readDay(db: Sql, scope: Scope, day: string): Promise<DayUse | null> {
  const { tenant_id, owner_id } = scopeColumns(scope);
  const row = await db
    .selectFrom('usage_days')
    .selectAll()
    .where('tenant_id', '=', tenant_id)
    .where('owner_id', '=', owner_id)
    .where('day', '=', day)
    .executeTakeFirst();
  return row ? toDayUse(row) : null;
}

/** True while there is more. Skips what another process removes already. */
export async function pruneDays(db: Sql, before: string, limit: number): Promise<boolean> {
  const { rows } = await sql`
    delete from usage_days where ctid = any (array(
      select ctid from usage_days where day < ${before} order by day limit ${limit} for update skip locked
    )) returning 1
  `.execute(db);
  if (rows.length < limit) return false;
  const oldest = await oldestDay(db);
  return oldest !== null && oldest < before;
}

export async function oldestDay(db: Sql): Promise<string | null> {
  const row = await db.selectFrom('usage_days').select('day').orderBy('day').limit(1).executeTakeFirst();
  return row?.day ?? null;
}

function nameOf({ tenant_id, owner_id, day }: DayName): string {
  return JSON.stringify([tenant_id, owner_id, day]);
}

/** Rows are locked in this order by everybody, so that no two transactions wait for each other. */
function inOrder(rows: readonly UsageDaysTable[]): UsageDaysTable[] {
  const byName = new Map(rows.map((row) => [nameOf(row), row]));
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function upsert(rows: readonly UsageDaysTable[]): RawBuilder<unknown> {
  const sums = Object.entries(COUNTS).map(([column, type]) => {
    const name = sql.ref(column);
    const added = sql`usage_days.${name} + excluded.${name}`;
    // Sums of very small numbers must not drift.
    return type === 'float8'
      ? sql`${name} = round((${added})::numeric, 10)::float8`
      : sql`${name} = ${added}`;
  });
  return sql`${insertRows('usage_days', DAY, rows)}
    on conflict (tenant_id, owner_id, day) do update set ${sql.join(sums)}`;
}

function sum(one: DayCounts, other: DayCounts): DayCounts {
  const total = { ...one };
  for (const key of Object.keys(COUNTS) as (keyof DayCounts)[]) total[key] += other[key];
  return total;
}
