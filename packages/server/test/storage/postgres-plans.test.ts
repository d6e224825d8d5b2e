import pg from 'pg';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  ALL,
  createSession,
  ENGINE,
  event,
  fence,
  NO_LIMIT,
  newSession,
  OWNER,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { type TestDatabase, testDatabase } from '../../../../tests/helpers/postgres.ts';
import { openForTest } from './postgres-open.ts';
import { useEverything } from './postgres-use.ts';

const BIG = [
  'sessions',
  'session_metadata',
  'events',
  'event_ids',
  'messages',
  'runs',
  'requests',
  'idempotency',
  'files',
  'file_pieces',
  'usage_days',
  'audit_log',
];
/** They hold only the few rows that are asked for, so reading them from end to end is what is meant. */
const SMALL_INDICES = [
  'runs_queued',
  'runs_owned',
  'runs_unfinished',
  'requests_pending',
  'sessions_deleted',
  'sessions_to_prune',
  'messages_to_compact',
];
/** Read from one end, as far as the limit goes. */
const ORDERED_INDICES = [
  'sessions_at_rest',
  'requests_due',
  'idempotency_by_age',
  'files_unfinished',
  'usage_days_by_day',
];
/** Where rows are looked up that were found elsewhere, and tables that are small. */
const ONE_BY_ONE = ['sessions_key', 'sessions_pkey', 'owners_key', 'Function Scan', 'CTE Scan', 'Seq Scan'];

/** Every statement that is sent, by whatever part of the storage: nobody keeps a list of queries by hand. */
let sent: readonly (readonly unknown[])[];

beforeEach(() => {
  sent = vi.spyOn(pg.Client.prototype, 'query').mock.calls;
});
afterEach(() => vi.restoreAllMocks());

it('no query reads a whole table or sorts what an index has in order', async () => {
  const database = await testDatabase();
  await fill(database);
  const storage = await openForTest(database.url);
  const before = sent.length;
  await useEverything(storage);
  for (const status of [undefined, 'idle', 'running', 'failed'] as const) {
    for (const metadata of [undefined, { a: '1' }, { a: '1', b: '2', c: '3' }]) {
      for (const position of [{}, { before: 100 }, { offset: 10 }]) {
        await storage.listSessions(OWNER, {
          ...ALL,
          ...position,
          expiredBefore: 10,
          ...(status === undefined ? {} : { status }),
          ...(metadata === undefined ? {} : { metadata }),
        });
      }
    }
  }
  await storage.createSession(newSession(), NO_LIMIT);
  const statements = new Set(sent.slice(before).map(([sql]) => String(sql)));
  const queries = [...statements].filter((sql) => /^\s*(select|insert|update|delete|with)\b/i.test(sql));
  await storage.close();

  // What is done all the same has no other way.
  const findings = [
    ...(await explain(database, queries, ['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin'], readsAll)),
    ...(await explain(database, queries, ['seqscan', 'bitmapscan', 'sort'], sorts)),
  ];

  expect(findings).toEqual([]);
  // As many as there are shapes of queries; should it fall, this test has lost sight of them.
  expect(queries.length).toBeGreaterThan(100);
});

it('a batch of deltas takes five statements, however many there are', async () => {
  const { url } = await testDatabase();
  const storage = await openForTest(url);
  const runs = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const session = await createSession(storage, { engine: ENGINE });
      return { session, runId: await startedRun(storage, session) };
    }),
  );
  const before = sent.length;

  const outcomes = await storage.append(
    [...runs, ...runs].map(({ session, runId }) => ({
      session,
      fence: fence(runId),
      events: [event('text_delta', { runId })],
    })),
  );

  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(40);
  expect(sent.length - before).toBe(5);
  await storage.close();
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Sort Key'?: readonly string[];
  readonly Plans?: readonly PlanNode[];
}

async function explain(
  database: TestDatabase,
  queries: readonly string[],
  without: readonly string[],
  judge: (plan: PlanNode) => string | null,
): Promise<string[]> {
  const client = await database.connect();
  for (const way of without) await client.query(`set enable_${way} = off`);
  const findings: string[] = [];
  for (const sql of queries) {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `explain (generic_plan, format json) ${sql}`,
    );
    const plans = rows.flatMap((row) => parts(row['QUERY PLAN'][0].Plan));
    if (plans.length === 0) throw new Error(`There is no plan for ${sql}`);
    findings.push(...plans.map(judge).flatMap((bad) => (bad === null ? [] : [`${bad}: ${sql}`])));
  }
  return findings;
}

function parts(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(parts)];
}

function readsAll(plan: PlanNode): string | null {
  const { 'Node Type': type, 'Relation Name': table = '', 'Index Name': index = '' } = plan;
  if (type === 'Seq Scan') return BIG.includes(table) ? `Seq Scan of ${table}` : null;
  if (!type.includes('Index') || plan['Index Cond'] !== undefined) return null;
  return [...SMALL_INDICES, ...ORDERED_INDICES].includes(index) ? null : `${type} of all ${index}`;
}

function sorts(plan: PlanNode): string | null {
  if (!plan['Node Type'].includes('Sort') || isSmallSort(plan)) return null;
  return `Sort by ${plan['Sort Key']?.join()}`;
}

/** What was looked up one by one, or found in a small index. */
function isSmallSort(plan: PlanNode): boolean {
  const sources = leaves(plan).map((leaf) => leaf['Index Name'] ?? leaf['Node Type']);
  return sources.every((name) => [...SMALL_INDICES, ...ONE_BY_ONE].includes(name));
}

function leaves(plan: PlanNode): PlanNode[] {
  return plan.Plans === undefined ? [plan] : plan.Plans.flatMap(leaves);
}

/** As a database looks that has been used for a while. */
async function fill({ query }: TestDatabase): Promise<void> {
  const many = 'generate_series(1, 500) as n';
  await query(`insert into sessions (session_id, tenant_id, owner_id, epoch, head_seq, kept_since, created_at,
      last_interaction_at, unfinished_runs, metadata)
    select 'session-' || n, 'tenant', case when n % 2 = 0 then 'owner' else 'owner ' || n end, 'e', 20, n + 1e6, n,
      n, 0, '{}' from ${many}`);
  await query(`insert into session_metadata (tenant_id, owner_id, key, value, session)
    select tenant_id, owner_id, key, (position % 10)::text, position from sessions, unnest(array['a', 'b', 'c']) as key`);
  await query(`insert into events (session, seq, created_at, size, event_type, payload)
    select n, seq, n, 2, 'custom:x', '{}' from ${many}, generate_series(1, 20) as seq`);
  await query(`insert into event_ids (session, event_id, seq) select session, 'id-' || seq, seq from events`);
  await query(`insert into messages (session, seq, accepted_seq, completed_at, size, message)
    select session, seq, 1, created_at, size, payload from events where seq <= 10`);
  await query(`insert into runs (session, accepted_seq, created_at, started_at, finished_at, run_id, status, engine_id,
      engine_type, command, body_hash, engine_config, parameters, result)
    select session, seq, 1, 1, 1, 'run-' || seq, 'completed', 'e', 'e', 'c', 'h', '{}', '{}', 'null'
    from events where seq <= 10`);
  await query(`insert into requests (session, seq, created_at, expires_at, request_id, run_id, kind, outcome,
      request_key, prompt)
    select session, seq, 1, 1, 'request-' || seq, 'run-1', 'form', 'submitted', 'key-' || seq, 'p'
    from events where seq <= 10`);
  await query(`insert into idempotency (tenant_id, owner_id, idempotency_key, body_hash, created_at, response)
    select tenant_id, owner_id, 'key-' || position, 'h', position, '{}' from sessions`);
  await query(`insert into files (session, created_at, written_at, completed_at, size, room, file_id, mime_type)
    select session, 1, 1, case when session > 490 then null else 1 end, 2, 2, 'file-' || seq, 'audio/wav'
    from events where seq <= 10`);
  await query(`insert into file_pieces (session, start, file_id, bytes)
    select session, start, file_id, 'x' from files, generate_series(0, 1) as start`);
  await query(`insert into usage_days select tenant_id, owner_id, '2026-01-01', ${Array(12).fill(0)} from sessions
    on conflict do nothing`);
  await query('analyze');
}
