import { sql } from 'kysely';
import type { UseChange } from '../budget.ts';
import type { Scope } from '../types.ts';
import { countsOf, type DayCounts } from '../usage-day-row.ts';
import type { Database, Prepared } from './database.ts';

type DayArgs = { tenantId: string; ownerId: string; day: string };

const COUNTS = [
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'cached_input_tokens',
  'reasoning_tokens',
  'steps',
  'elapsed_ms',
  'reserved_tokens',
  'reserved_steps',
  'reserved_ms',
] as const satisfies readonly (keyof DayCounts)[];
const COSTS = ['cost', 'reserved_cost'] as const satisfies readonly (keyof DayCounts)[];

/** What the runs of an owner use on a day. */
export class UsageDays {
  readonly #get: Prepared<DayArgs, DayCounts>;
  readonly #add: Prepared<DayArgs & DayCounts, unknown>;
  readonly #prune: Prepared<{ before: string; limit: number }, unknown>;
  readonly #oldest: Prepared<object, { day: string }>;

  constructor(database: Database) {
    const db = database.sql;
    this.#prune = database.prepare((p: { before: string; limit: number }) => {
      const slice = sql`delete from usage_days where (tenant_id, owner_id, day) in
        (select tenant_id, owner_id, day from usage_days where day < ${p.before} order by day limit ${p.limit})`;
      return { compile: () => slice.compile(db) };
    });
    this.#oldest = database.prepare(() =>
      db.selectFrom('usage_days').select('day').orderBy('day').limit(sql.lit(1)),
    );
    this.#get = database.prepare((p: DayArgs) =>
      db
        .selectFrom('usage_days')
        .select([...COUNTS, ...COSTS])
        .where('tenant_id', '=', p.tenantId)
        .where('owner_id', '=', p.ownerId)
        .where('day', '=', p.day),
    );
    this.#add = database.prepare((p: DayArgs & DayCounts) =>
      db
        .insertInto('usage_days')
        .values({
          tenant_id: p.tenantId,
          owner_id: p.ownerId,
          day: p.day,
          ...(Object.fromEntries(
            [...COUNTS, ...COSTS].map((name) => [name, p[name]]),
          ) as unknown as DayCounts),
        })
        .onConflict((conflict) =>
          conflict.columns(['tenant_id', 'owner_id', 'day']).doUpdateSet({
            ...Object.fromEntries(COUNTS.map((name) => [name, sum(name)])),
            // Sums of very small numbers must not drift.
            ...Object.fromEntries(COSTS.map((name) => [name, sql`round(${sum(name)}, 10)`])),
          }),
        ),
    );
  }

  get({ tenantId, ownerId }: Scope, day: string): DayCounts | undefined {
    return this.#get.get({ tenantId, ownerId, day });
  }

  /** Inside a transaction of the caller. */
  add({ tenantId, ownerId }: Scope, change: UseChange): void {
    this.#add.run({ tenantId, ownerId, day: change.day, ...countsOf(change) });
  }

  /** True while there is more. */
  prune(before: string, limit: number): boolean {
    const removed = this.#prune.run({ before, limit });
    return removed === limit && (this.oldest() ?? before) < before;
  }

  oldest(): string | null {
    return this.#oldest.get({})?.day ?? null;
  }
}

function sum(name: string) {
  return sql`${sql.ref(`usage_days.${name}`)} + ${sql.ref(`excluded.${name}`)}`;
}
