import type { SessionStatus } from '@llmgine/protocol';
import { type Expression, expressionBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import { toSession } from '../session-row.ts';
import type { Schema, SessionsTable } from '../tables.ts';
import type { Scope, SessionPage, SessionQuery } from '../types.ts';
import type { Counters } from './counters.ts';
import type { Database } from './database.ts';

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
const atRest = (): Expression<SqlBool> => eb(sql<number>`+s.unfinished_runs`, '=', sql.lit(0));

export class SessionList {
  readonly #database: Database;
  readonly #counters: Counters;

  constructor(database: Database, counters: Counters) {
    this.#database = database;
    this.#counters = counters;
  }

  page(scope: Scope, options: SessionQuery): SessionPage {
    const { query, position } = this.#matching(scope, options);
    let page = query
      .selectAll('s')
      .orderBy(position, 'desc')
      .limit(options.limit + 1);
    if (options.before !== undefined) page = page.where(position, '<', options.before);
    if (options.offset !== undefined) page = page.offset(options.offset);
    const rows = this.#database.all(page);
    const shown = rows.slice(0, options.limit);
    return {
      sessions: shown.map(toSession),
      ...this.#total(scope, options),
      next: rows.length > options.limit ? (shown.at(-1)?.position ?? null) : null,
    };
  }

  #total(scope: Scope, options: SessionQuery): Pick<SessionPage, 'total' | 'totalExact'> {
    const filtered = options.status !== undefined || Object.keys(options.metadata ?? {}).length > 0;
    if (!filtered) {
      const total = this.#counters.sessionsOf(scope) - this.#expired(scope, options.expiredBefore);
      return { total, totalExact: true };
    }
    const some = this.#matching(scope, options)
      .query.select(sql.lit(1).as('one'))
      .limit(MAX_COUNTED + 1);
    const counted = this.#count(some);
    return { total: Math.min(counted, MAX_COUNTED), totalExact: counted <= MAX_COUNTED };
  }

  /** How many expired sessions of the owner still wait for `expireSessions`; there are never many. */
  #expired({ tenantId, ownerId }: Scope, before: number | null): number {
    if (before === null) return 0;
    return this.#count(
      this.#database.sql
        .selectFrom('sessions as s')
        .select(sql.lit(1).as('one'))
        .where('s.tenant_id', '=', tenantId)
        .where('s.owner_id', '=', ownerId)
        .where('s.deleted_at', 'is', null)
        .where('s.unfinished_runs', '=', sql.lit(0))
        .where('s.last_interaction_at', '<', before),
    );
  }

  #count<DB, Tables extends keyof DB>(rows: SelectQueryBuilder<DB, Tables, { one: number }>): number {
    const { fn } = this.#database.sql;
    const counted = this.#database.get(
      this.#database.sql.selectFrom(rows.as('rows')).select(fn.countAll<number>().as('count')),
    );
    return counted?.count ?? 0;
  }

  #matching(scope: Scope, options: SessionQuery): Matching {
    const { sql: db } = this.#database;
    const [first, ...others] = Object.entries(options.metadata ?? {});
    const conditions: Expression<SqlBool>[] = [
      eb('s.tenant_id', '=', scope.tenantId),
      eb('s.owner_id', '=', scope.ownerId),
      eb('s.deleted_at', 'is', null),
    ];
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
            .where('other.tenant_id', '=', scope.tenantId)
            .where('other.owner_id', '=', scope.ownerId)
            .where('other.key', '=', key)
            .where('other.value', '=', value)
            .whereRef('other.session', '=', 's.position'),
        ),
      );
    }
    if (!first) {
      return {
        query: db.selectFrom('sessions as s').where(eb.and(conditions)),
        position: sql.ref<number>('s.position'),
      };
    }
    // A cross join keeps its order: the first metadata value is looked up, and its rows are in the order of the list.
    const query = db
      .selectFrom('session_metadata as m')
      .crossJoin('sessions as s')
      .where('m.tenant_id', '=', scope.tenantId)
      .where('m.owner_id', '=', scope.ownerId)
      .where('m.key', '=', first[0])
      .where('m.value', '=', first[1])
      .whereRef('s.position', '=', 'm.session')
      .where(eb.and(conditions));
    return { query: query as unknown as Matching['query'], position: sql.ref<number>('m.session') };
  }
}

/** The statuses exclude each other: a session whose engine failed is `failed`, however long nobody has touched it. */
function hasStatus(status: SessionStatus, idleBefore: number): Expression<SqlBool> {
  const failed = eb('s.engine_status', 'is', sql.lit('failed'));
  const idle = eb.and([atRest(), eb('s.last_interaction_at', '<', idleBefore)]);
  if (status === 'failed') return failed;
  return eb.and([eb.not(failed), status === 'idle' ? idle : eb.not(idle)]);
}
