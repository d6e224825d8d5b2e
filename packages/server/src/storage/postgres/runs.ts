import type { RunStatus } from '@llmgine/protocol';
import { sql } from 'kysely';
import type { RunPlace, RunRow, RunSummary, SessionKey, UnfinishedRun } from '../types.ts';
import type { Sql } from './database.ts';
import { isAlive } from './lease.ts';
import { SUMMARY, toRun, toSummary } from './run-row.ts';
import { OWNER, positionOf, toKey } from './session-row.ts';
import { decode, encode } from './text.ts';

export class Runs {
  readonly #sql: Sql;

  constructor(db: Sql) {
    this.#sql = db;
  }

  async get(key: SessionKey, runId: string): Promise<RunRow | null> {
    const run = await this.#of(key).selectAll('r').where('r.run_id', '=', encode(runId)).executeTakeFirst();
    return run ? toRun(run, key) : null;
  }

  async page(
    key: SessionKey,
    options: { readonly limit: number; readonly before?: number; readonly status?: RunStatus },
  ): Promise<{ readonly runs: RunSummary[]; readonly next: number | null }> {
    let query = this.#of(key)
      .select(SUMMARY)
      .orderBy('r.accepted_seq', 'desc')
      .limit(options.limit + 1);
    if (options.before !== undefined) query = query.where('r.accepted_seq', '<', options.before);
    if (options.status !== undefined) query = query.where('r.status', '=', options.status);
    const rows = await query.execute();
    const shown = rows.slice(0, options.limit);
    return {
      runs: shown.map((run) => toSummary(run, key)),
      next: rows.length > options.limit ? (shown.at(-1)?.accepted_seq ?? null) : null,
    };
  }

  async next(key: SessionKey): Promise<RunRow | null> {
    const run = await this.#unfinishedOf(key)
      .selectAll('r')
      .orderBy('r.accepted_seq')
      .limit(1)
      .executeTakeFirst();
    return run ? toRun(run, key) : null;
  }

  async countUnfinished(key: SessionKey, before: number): Promise<number> {
    const row = await this.#unfinishedOf(key)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('r.accepted_seq', '<', before)
      .executeTakeFirst();
    return row?.count ?? 0;
  }

  async unfinishedIds(key: SessionKey): Promise<string[]> {
    const rows = await this.#unfinishedOf(key).select('r.run_id').orderBy('r.accepted_seq').execute();
    return rows.map(({ run_id }) => decode(run_id));
  }

  async unfinished(options: {
    readonly limit: number;
    readonly tenantId?: string;
    readonly before?: RunPlace;
    readonly status?: RunStatus;
  }): Promise<{ readonly runs: UnfinishedRun[]; readonly next: RunPlace | null }> {
    const { limit, tenantId, before, status } = options;
    let query = this.#ofAll()
      .select(['r.session', 'r.run_id', 'r.accepted_seq', 'r.status'])
      .select(OWNER)
      .where('r.finished_at', 'is', null)
      .orderBy('r.session', 'desc')
      .orderBy('r.accepted_seq', 'desc')
      .limit(limit);
    if (tenantId !== undefined) query = query.where('s.tenant_id', '=', encode(tenantId));
    if (status !== undefined) query = query.where('r.status', '=', status);
    if (before) {
      query = query.where((eb) =>
        eb(eb.refTuple('r.session', 'r.accepted_seq'), '<', eb.tuple(before.session, before.acceptedSeq)),
      );
    }
    const rows = await query.execute();
    const last = rows.length < limit ? undefined : rows.at(-1);
    return {
      runs: rows.map((row) => ({ ...toKey(row), runId: decode(row.run_id), status: row.status })),
      next: last ? { session: last.session, acceptedSeq: last.accepted_seq } : null,
    };
  }

  async countQueued(): Promise<number> {
    const row = await this.#ofAll()
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('r.status', '=', sql.lit('queued'))
      .executeTakeFirst();
    return row?.count ?? 0;
  }

  async sessionsWithQueued(boot: number): Promise<SessionKey[]> {
    const rows = await this.#sql
      .selectFrom((eb) =>
        eb
          .selectFrom('runs')
          .select(['session', (inner) => inner.fn.min('position').as('oldest')])
          .where('status', '=', sql.lit('queued'))
          .where('boot', '=', boot)
          .groupBy('session')
          .as('queued'),
      )
      .innerJoin('sessions as s', 's.position', 'queued.session')
      .select(OWNER)
      .where('s.deleted_at', 'is', null)
      .orderBy('queued.oldest')
      .execute();
    return rows.map(toKey);
  }

  async orphaned(): Promise<RunRow[]> {
    const rows = await this.#ofAll()
      .leftJoin('processes as p', 'p.boot', 'r.boot')
      .selectAll('r')
      .select(OWNER)
      // Literals, because an index on some rows is used only where the query says so.
      .where('r.status', 'in', [sql.lit('queued' as const), sql.lit('running' as const)])
      .where((eb) => eb.not(isAlive('p')))
      .orderBy('r.position')
      .execute();
    return rows.map((run) => toRun(run, toKey(run)));
  }

  #of(key: SessionKey) {
    return this.#sql.selectFrom('runs as r').where('r.session', '=', positionOf(this.#sql, key));
  }

  #unfinishedOf(key: SessionKey) {
    return this.#of(key).where('r.finished_at', 'is', null);
  }

  #ofAll() {
    return this.#sql
      .selectFrom('runs as r')
      .innerJoin('sessions as s', 's.position', 'r.session')
      .where('s.deleted_at', 'is', null);
  }
}

export async function unfinishedRuns(db: Sql, session: number, key: SessionKey): Promise<RunSummary[]> {
  const rows = await db
    .selectFrom('runs as r')
    .select(SUMMARY)
    .where('r.session', '=', session)
    .where('r.finished_at', 'is', null)
    .orderBy('r.accepted_seq')
    .execute();
  return rows.map((run) => toSummary(run, key));
}
