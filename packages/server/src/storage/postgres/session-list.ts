import type { SessionStatus } from '@llmgine/protocol';
import { type Expression, expressionBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import type { SessionsTable } from '../tables.ts';
import type { Scope, SessionPage, SessionQuery } from '../types.ts';
import type { Counters } from './counters.ts';
import type { Sql } from './database.ts';
import type { Schema } from './schema.ts';
import { scopeColumns, toSession } from './session-row.ts';
import { indexed } from './text.ts';

/** Up to here a filtered total is counted. */
const MAX_COUNTED = 10_000;

type View = Schema & { s: SessionsTable };

interface Matching {
  readonly query: SelectQueryBuilder<View, 's', object>;
  /** The column that orders the result and that keysets compare with. */
  readonly position: ReturnType<typeof sql.ref<number>>;
}

const eb = expressionBuilder<View, 's'>();
/** The `+` keeps the index of sessions at rest out: the list goes by position, and would have to be sorted each time. */
const atRest = (): Expression<SqlBool> => eb(sql<number>`s.unfinished_runs + 0`, '=', sql.lit(0));

export class SessionList {
  readonly #sql: Sql;
  readonly #counters: Counters;

  constructor(db: Sql, counters: Counters) {
    this.#sql = db;
    this.#counters = counters;
  }

  async page(scope: Scope, options: SessionQuery): Promise<SessionPage> {
    const { query, position } = this.#matching(scope, options);
    let page = query
      .selectAll('s')
      .orderBy(position, 'desc')
      .limit(options.limit + 1);
    if (options.before !== undefined) page = page.where(position, '<', options.before);
    if (options.offset !== undefined) page = page.offset(options.offset);
    const rows = await page.execute();
    const shown = rows.slice(0, options.limit);
    return {
      sessions: shown.map(toSession),
      ...(await this.#total(scope, options)),
      next: rows.length > options.limit ? (shown.at(-1)?.position ?? null) : null,
    };
  }

  async #total(scope: Scope, options: SessionQuery): Promise<Pick<SessionPage, 'total' | 'totalExact'>> {
    const filtered = options.status !== undefined || Object.keys(options.metadata ?? {}).length > 0;
    if (!filtered) {
      const all = await this.#counters.sessionsOf(scope);
      return { total: all - (await this.#expired(scope, options.expiredBefore)), totalExact: true };
    }
    const some = this.#matching(scope, options)
      .query.select(sql.lit(1).as('one'))
      .limit(MAX_COUNTED + 1);
    const counted = await this.#count(some);
    return { total: Math.min(counted, MAX_COUNTED), totalExact: counted <= MAX_COUNTED };
  }

  /** How many expired sessions of the owner still wait for `expireSessions`; there are never many. */
  async #expired(scope: Scope, before: number | null): Promise<number> {
    if (before === null) return 0;
    const { tenant_id, owner_id } = scopeColumns(scope);
    return this.#count(
      this.#sql
        .selectFrom('sessions as s')
        .select(sql.lit(1).as('one'))
        .where('s.tenant_id', '=', tenant_id)
        .where('s.owner_id', '=', owner_id)
        .where('s.deleted_at', 'is', null)
        .where('s.unfinished_runs', '=', sql.lit(0))
        .where('s.last_interaction_at', '<', before),
    );
  }

  async #count<DB, Tables extends keyof DB>(
    rows: SelectQueryBuilder<DB, Tables, { one: number }>,
  ): Promise<number> {
    const counted = await this.#sql
      .selectFrom(rows.as('rows'))
      .select(this.#sql.fn.countAll<number>().as('count'))
      .executeTakeFirst();
    return counted?.count ?? 0;
  }

  #matching(scope: Scope, options: SessionQuery): Matching {
    const { tenant_id, owner_id } = scopeColumns(scope);
    const [first, ...others] = Object.entries(options.metadata ?? {}).map(
      ([key, value]) => [indexed(key), indexed(value)] as const,
    );
    const conditions: Expression<SqlBool>[] = [eb('s.deleted_at', 'is', null)];
    if (options.expiredBefore !== null) {
      conditions.push(eb.or([eb.not(atRest()), eb('s.last_interaction_at', '>=', options.expiredBefore)]));
    }
    if (options.status !== undefined) conditions.push(hasStatus(options.status, options.idleBefore));
    for (const [key, value] of others) {
      conditions.push(
        eb.exists(
          eb
            .selectFrom('session_metadata as other')
            .select(sql.lit(1).as('one'))
            .where('other.tenant_id', '=', tenant_id)
            .where('other.owner_id', '=', owner_id)
            .where('other.key', '=', key)
            .where('other.value', '=', value)
            .whereRef('other.session', '=', 's.position'),
        ),
      );
    }
    if (!first) {
      const query = this.#sql
        .selectFrom('sessions as s')
        .where('s.tenant_id', '=', tenant_id)
        .where('s.owner_id', '=', owner_id)
        .where(eb.and(conditions));
      return { query, position: sql.ref<number>('s.position') };
    }
    // The rows of one metadata value are in the order of the list. Their sessions are looked up one by one: were the owner
    // a condition on these, too, all sessions of the owner would be read for each when the statistics are old.
    const query = this.#sql
      .selectFrom('session_metadata as m')
      .innerJoin('sessions as s', 's.position', 'm.session')
      .where('m.tenant_id', '=', tenant_id)
      .where('m.owner_id', '=', owner_id)
      .where('m.key', '=', first[0])
      .where('m.value', '=', first[1])
      .where(eb.and(conditions));
    return { query: query as unknown as Matching['query'], position: sql.ref<number>('m.session') };
  }
}

/** The statuses exclude each other: a session whose engine failed is `failed`, however long nobody has touched it. */
function hasStatus(status: SessionStatus, idleBefore: number): Expression<SqlBool> {
  const failed = eb('s.engine_status', 'is not distinct from', sql.lit('failed'));
  const idle = eb.and([atRest(), eb('s.last_interaction_at', '<', idleBefore)]);
  if (status === 'failed') return failed;
  return eb.and([eb.not(failed), status === 'idle' ? idle : eb.not(idle)]);
}
