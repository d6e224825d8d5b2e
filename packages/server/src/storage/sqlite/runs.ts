import type { ErrorObject, Json, JsonObject, RunStatus, Usage } from '@llmgine/protocol';
import { type Selectable, sql } from 'kysely';
import { toReservation } from '../run-use.ts';
import type { RunsTable, SessionsTable } from '../tables.ts';
import type { RunPlace, RunRow, RunSummary, SessionKey, UnfinishedRun } from '../types.ts';
import type { Database, Prepared } from './database.ts';
import type { Sessions } from './sessions.ts';

/** The columns of a `RunSummary`. */
const SUMMARY = [
  'run_id',
  'accepted_seq',
  'status',
  'open_seq',
  'attempt',
  'created_at',
  'started_at',
  'finished_at',
  'engine_id',
  'engine_type',
  'command',
  'result',
  'usage',
  'error',
] as const;

type Run = Selectable<RunsTable>;
type Summary = Pick<Run, (typeof SUMMARY)[number]>;
type Owner = Pick<SessionsTable, 'session_id' | 'tenant_id' | 'owner_id'>;

export class Runs {
  readonly #database: Database;
  readonly #sessions: Sessions;
  readonly #get: Prepared<{ session: number; runId: string }, Run>;
  readonly #unfinished: Prepared<{ session: number }, Summary>;
  readonly #next: Prepared<{ session: number }, Run>;
  readonly #countUnfinished: Prepared<{ session: number; before: number }, { count: number }>;
  readonly #unfinishedIds: Prepared<{ session: number }, Pick<Run, 'run_id'>>;
  readonly #orphaned: readonly Prepared<{ boot: number }, Run & Owner>[];
  readonly #countQueued: Prepared<object, { count: number }>;
  readonly #queued: Prepared<{ boot: number }, Owner>;

  constructor(database: Database, sessions: Sessions) {
    this.#database = database;
    this.#sessions = sessions;
    const db = database.sql;
    this.#get = database.prepare((p: { session: number; runId: string }) =>
      db.selectFrom('runs').selectAll().where('session', '=', p.session).where('run_id', '=', p.runId),
    );
    const unfinished = db.selectFrom('runs').where('finished_at', 'is', null);
    this.#unfinished = database.prepare((p: { session: number }) =>
      unfinished.select(SUMMARY).where('session', '=', p.session).orderBy('accepted_seq'),
    );
    this.#next = database.prepare((p: { session: number }) =>
      unfinished.selectAll().where('session', '=', p.session).orderBy('accepted_seq').limit(1),
    );
    this.#countUnfinished = database.prepare((p: { session: number; before: number }) =>
      unfinished
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('session', '=', p.session)
        .where('accepted_seq', '<', p.before),
    );
    this.#unfinishedIds = database.prepare((p: { session: number }) =>
      unfinished.select('run_id').where('session', '=', p.session).orderBy('accepted_seq'),
    );
    const owner = ['session_id', 'tenant_id', 'owner_id'] as const;
    // Literals, because an index on some rows is used only where the query says so word for word. The runs come first
    // in a cross join: they are few, whatever the number of sessions.
    this.#orphaned = (['queued', 'running'] as const).map((status) =>
      database.prepare((p: { boot: number }) =>
        db
          .selectFrom('runs')
          .crossJoin('sessions')
          .selectAll('runs')
          .select(owner)
          .where('runs.status', '=', sql.lit(status))
          .where((eb) => eb.or([eb('runs.boot', 'is', null), eb('runs.boot', '<', p.boot)]))
          .whereRef('sessions.position', '=', 'runs.session')
          .where('sessions.deleted_at', 'is', null),
      ),
    );
    this.#countQueued = database.prepare(() =>
      db
        .selectFrom('runs')
        .crossJoin('sessions')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('runs.status', '=', sql.lit('queued'))
        .whereRef('sessions.position', '=', 'runs.session')
        .where('sessions.deleted_at', 'is', null),
    );
    this.#queued = database.prepare((p: { boot: number }) =>
      db
        .selectFrom(
          db
            .selectFrom('runs')
            .select(['session', (eb) => eb.fn.min('position').as('oldest')])
            .where('status', '=', sql.lit('queued'))
            .where('boot', '=', p.boot)
            .groupBy('session')
            .as('queued'),
        )
        .crossJoin('sessions')
        .select(owner)
        .whereRef('sessions.position', '=', 'queued.session')
        .where('sessions.deleted_at', 'is', null)
        .orderBy('queued.oldest'),
    );
  }

  get(key: SessionKey, runId: string): RunRow | null {
    const session = this.#sessions.find(key);
    const run = session && this.#get.get({ session: session.position, runId });
    return run ? toRun(run, key) : null;
  }

  page(
    key: SessionKey,
    options: { readonly limit: number; readonly before?: number; readonly status?: RunStatus },
  ): { readonly runs: RunSummary[]; readonly next: number | null } {
    const session = this.#sessions.find(key);
    if (!session) return { runs: [], next: null };
    let query = this.#database.sql
      .selectFrom('runs')
      .select(SUMMARY)
      .where('session', '=', session.position)
      .orderBy('accepted_seq', 'desc')
      .limit(options.limit + 1);
    if (options.before !== undefined) query = query.where('accepted_seq', '<', options.before);
    if (options.status !== undefined) query = query.where('status', '=', options.status);
    const rows = this.#database.all(query);
    const shown = rows.slice(0, options.limit);
    return {
      runs: shown.map((run) => toSummary(run, key)),
      next: rows.length > options.limit ? (shown.at(-1)?.accepted_seq ?? null) : null,
    };
  }

  next(key: SessionKey): RunRow | null {
    const session = this.#sessions.find(key);
    const run = session && this.#next.get({ session: session.position });
    return run ? toRun(run, key) : null;
  }

  countUnfinished(key: SessionKey, before: number): number {
    const session = this.#sessions.find(key);
    return (session && this.#countUnfinished.get({ session: session.position, before })?.count) ?? 0;
  }

  unfinishedIds(key: SessionKey): string[] {
    const session = this.#sessions.find(key);
    return session ? this.#unfinishedIds.all({ session: session.position }).map(({ run_id }) => run_id) : [];
  }

  unfinishedAt(session: number, key: SessionKey): RunSummary[] {
    return this.#unfinished.all({ session }).map((run) => toSummary(run, key));
  }

  unfinished(options: {
    readonly limit: number;
    readonly tenantId?: string;
    readonly before?: RunPlace;
    readonly status?: RunStatus;
  }): { readonly runs: UnfinishedRun[]; readonly next: RunPlace | null } {
    const { limit, tenantId, before, status } = options;
    let query = this.#database.sql
      .selectFrom('runs')
      .crossJoin('sessions')
      .select(['session', 'run_id', 'accepted_seq', 'status', 'session_id', 'tenant_id', 'owner_id'])
      .where('runs.finished_at', 'is', null)
      .whereRef('sessions.position', '=', 'runs.session')
      .where('sessions.deleted_at', 'is', null)
      .orderBy('session', 'desc')
      .orderBy('accepted_seq', 'desc')
      .limit(limit);
    if (tenantId !== undefined) query = query.where('sessions.tenant_id', '=', tenantId);
    if (status !== undefined) query = query.where('runs.status', '=', status);
    if (before) {
      query = query.where((eb) =>
        eb(eb.refTuple('session', 'accepted_seq'), '<', eb.tuple(before.session, before.acceptedSeq)),
      );
    }
    const rows = this.#database.all(query);
    const last = rows.length < limit ? undefined : rows.at(-1);
    return {
      runs: rows.map((row) => ({ ...toKey(row), runId: row.run_id, status: row.status })),
      next: last ? { session: last.session, acceptedSeq: last.accepted_seq } : null,
    };
  }

  countQueued(): number {
    return this.#countQueued.get({})?.count ?? 0;
  }

  sessionsWithQueued(boot: number): SessionKey[] {
    return this.#queued.all({ boot }).map(toKey);
  }

  orphaned(boot: number): RunRow[] {
    const runs = this.#orphaned.flatMap((some) => some.all({ boot }));
    return runs.sort((a, b) => a.position - b.position).map((run) => toRun(run, toKey(run)));
  }
}

function toKey(row: Owner): SessionKey {
  return { tenantId: row.tenant_id, ownerId: row.owner_id, sessionId: row.session_id };
}

function toRun(row: Run, key: SessionKey): RunRow {
  return {
    ...toSummary(row, key),
    engineConfig: JSON.parse(row.engine_config) as JsonObject,
    parameters: JSON.parse(row.parameters) as JsonObject,
    bodyHash: row.body_hash,
    elapsedMs: row.elapsed_ms,
    recoveries: row.recoveries,
    steps: row.steps,
    reserved: toReservation(row.reserved),
  };
}

function toSummary(row: Summary, { tenantId, ownerId, sessionId }: SessionKey): RunSummary {
  return {
    tenantId,
    ownerId,
    sessionId,
    runId: row.run_id,
    engineId: row.engine_id,
    engineType: row.engine_type,
    command: row.command,
    status: row.status,
    acceptedSeq: row.accepted_seq,
    openSeq: row.open_seq,
    attempt: row.attempt,
    result: JSON.parse(row.result) as Json,
    usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
    error: row.error === null ? null : (JSON.parse(row.error) as ErrorObject),
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}
