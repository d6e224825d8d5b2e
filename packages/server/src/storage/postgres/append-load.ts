import type { Usage } from '@llmgine/protocol';
import { type RawBuilder, type Selectable, sql, type Transaction } from 'kysely';
import { toReservation } from '../run-use.ts';
import type { RequestsTable, RunsTable } from '../tables.ts';
import type { Append } from '../types.ts';
import { type EventName, Needs, type RequestName, type RunName } from './append-needs.ts';
import { type BatchDraft, SessionDraft, type SessionRowDraft } from './draft.ts';
import { idempotencyColumns } from './idempotency.ts';
import { type Columns, rowsAs } from './rows.ts';
import type { Schema } from './schema.ts';
import { scopeColumns } from './session-row.ts';
import { encode } from './text.ts';
import { DayDrafts, type DayName } from './usage-days.ts';

type Db = Transaction<Schema>;
type Run = Omit<Selectable<RunsTable>, 'result' | 'error'>;
type Request = Pick<
  Selectable<RequestsTable>,
  'session' | 'request_id' | 'run_id' | 'request_key' | 'claimed_by' | 'claimed_until' | 'outcome'
>;
interface AnswerName {
  readonly tenant_id: string;
  readonly owner_id: string;
  readonly idempotency_key: string;
}

const RUN: Columns<RunName> = { session: 'bigint', run_id: 'text' };
const REQUEST: Columns<RequestName> = { session: 'bigint', request_id: 'text' };
const EVENT: Columns<EventName> = { session: 'bigint', event_id: 'text' };
const ANSWER: Columns<AnswerName> = { tenant_id: 'text', owner_id: 'text', idempotency_key: 'text' };

/** Locks the sessions of a batch and reads what its appends refer to: one query for each kind that there is any of. */
export async function loadBatch(db: Db, batch: readonly Append[], boot: number): Promise<BatchDraft> {
  const sessions = await lockSessions(db, batch);
  const drafts = new Map<number, SessionDraft>();
  const needs = new Needs();
  for (const append of batch) {
    const draft = findSession(sessions, append);
    if (!draft) continue;
    drafts.set(draft.position, draft);
    needs.add(draft.position, append);
  }
  await loadRequests(db, needs, drafts);
  const alive = needs.runs.length > 0 && (await loadRuns(db, needs, drafts, boot));
  await loadEventIds(db, needs, drafts);
  for (const draft of drafts.values()) draft.begin();
  return {
    boot,
    alive,
    living: needs.owners ? await livingOwners(db, drafts) : new Set(),
    sessions,
    days: await loadDays(db, needs, sessions),
    answered: await loadAnswers(db, batch),
    answers: [],
    events: [],
    eventIds: [],
  };
}

/** After the sessions, as everybody does. All that the batch may change, so that it locks none later that comes before. */
async function loadDays(db: Db, needs: Needs, sessions: BatchDraft['sessions']): Promise<DayDrafts> {
  const days = new DayDrafts();
  if (!needs.budgets) return days;
  const names: DayName[] = [];
  const daysOf = Map.groupBy(needs.days, ({ session }) => session);
  for (const { tenant_id, owner_id, draft } of sessions.values()) {
    const all = new Set(daysOf.get(draft.position)?.map(({ day }) => day));
    for (const { reserved } of draft.before.runs.values()) {
      const day = toReservation(reserved)?.day;
      if (typeof day === 'string') all.add(day);
    }
    for (const day of all) names.push({ tenant_id, owner_id, day });
  }
  await days.lock(db, names);
  return days;
}

export function findSession(sessions: BatchDraft['sessions'], { session }: Append): SessionDraft | undefined {
  const { tenant_id, owner_id } = scopeColumns(session);
  const row = sessions.get(encode(session.sessionId));
  return row?.tenant_id === tenant_id && row.owner_id === owner_id ? row.draft : undefined;
}

/** In the order of their positions, as everybody does, so that no two transactions wait for each other. */
async function lockSessions(db: Db, batch: readonly Append[]): Promise<Map<string, SessionRowDraft>> {
  const ids = [...new Set(batch.map(({ session }) => encode(session.sessionId)))];
  const rows = await db
    .selectFrom('sessions')
    .select(['position', 'session_id', 'tenant_id', 'owner_id', 'epoch', 'head_seq', 'unfinished_runs'])
    .select(['last_interaction_at', 'kept_since', 'engine_id', 'usage', 'steps', 'elapsed_ms'])
    .where('session_id', '=', sql<string>`any(${ids}::text[])`)
    .where('deleted_at', 'is', null)
    .orderBy('position')
    .forNoKeyUpdate()
    .execute();
  return new Map(
    rows.map((row) => {
      const draft = new SessionDraft(row.position, row.epoch, {
        headSeq: row.head_seq,
        unfinishedRuns: row.unfinished_runs,
        lastInteractionAt: row.last_interaction_at,
        use: {
          usage: row.usage === null ? null : (JSON.parse(row.usage) as Usage),
          steps: row.steps,
          elapsedMs: row.elapsed_ms,
        },
        engineId: row.engine_id,
        linked: undefined,
        engineStatus: undefined,
        prunable: row.kept_since !== null,
        runs: new Map(),
        requests: new Map(),
        messages: [],
      });
      return [row.session_id, { tenant_id: row.tenant_id, owner_id: row.owner_id, draft }];
    }),
  );
}

async function loadRequests(db: Db, needs: Needs, drafts: ReadonlyMap<number, SessionDraft>): Promise<void> {
  const columns = sql.raw(
    'q.session, q.request_id, q.run_id, q.request_key, q.claimed_by, q.claimed_until, q.outcome',
  );
  const parts: RawBuilder<unknown>[] = [];
  if (needs.pendingOf.size > 0) {
    parts.push(sql`select ${columns} from requests q
      where q.session = any(${[...needs.pendingOf]}::bigint[]) and q.outcome is null`);
  }
  if (needs.requests.length > 0) {
    parts.push(sql`select ${columns} from ${rowsAs('n', REQUEST, needs.requests)}
      join requests q on q.session = n.session and q.request_id = n.request_id`);
  }
  if (needs.keysOf.length > 0) {
    parts.push(sql`select ${columns} from ${rowsAs('n', RUN, needs.keysOf)}
      join requests q on q.session = n.session and q.run_id = n.run_id`);
  }
  if (parts.length === 0) return;
  const { rows } = await sql<Request>`${sql.join(parts, sql` union all `)}`.execute(db);
  const wanted = new Set(needs.requests.map(({ session, request_id }) => `${session} ${request_id}`));
  for (const { session, request_id, ...row } of rows) {
    drafts.get(session)?.before.requests.set(request_id, {
      ...row,
      resolved_by: null,
      resolved_at: null,
      value: null,
      reason: null,
    });
    // Its run may go on.
    if (wanted.has(`${session} ${request_id}`)) needs.runs.push({ session, run_id: row.run_id });
  }
}

/** Whether the lease of this process has not run out, too: the locks are held, so nobody takes a run over before the commit. */
async function loadRuns(
  db: Db,
  needs: Needs,
  drafts: ReadonlyMap<number, SessionDraft>,
  boot: number,
): Promise<boolean> {
  const { rows } = await sql<Partial<Run> & { readonly alive: boolean }>`
    select own.alive, r.session, r.run_id, r.accepted_seq, r.status, r.boot, r.open_seq, r.attempt, r.elapsed_ms,
      r.recoveries, r.started_at, r.finished_at, r.usage, r.steps, r.reserved
    from (
      select exists (select from processes where boot = ${boot} and expires_at > clock_timestamp()) as alive
    ) as own left join (
      ${rowsAs('n', RUN, needs.runs)} join runs r on r.session = n.session and r.run_id = n.run_id
    ) on true
  `.execute(db);
  for (const { alive: _, session, run_id, ...row } of rows) {
    if (session === undefined || run_id === undefined || session === null) continue;
    drafts.get(session)?.before.runs.set(run_id, { ...(row as Run), result: null, error: null });
  }
  return rows[0]?.alive ?? false;
}

async function loadEventIds(db: Db, needs: Needs, drafts: ReadonlyMap<number, SessionDraft>): Promise<void> {
  if (needs.eventIds.length === 0) return;
  const { rows } = await sql<EventName & { readonly seq: number }>`
    select i.session, i.event_id, i.seq from ${rowsAs('n', EVENT, needs.eventIds)}
    join event_ids i on i.session = n.session and i.event_id = n.event_id
  `.execute(db);
  for (const { session, event_id, seq } of rows) drafts.get(session)?.eventIds.set(event_id, seq);
}

async function loadAnswers(db: Db, batch: readonly Append[]): Promise<Set<string>> {
  const names = batch.flatMap(({ idempotency }): AnswerName[] => {
    if (!idempotency) return [];
    const { tenant_id, owner_id, idempotency_key } = idempotencyColumns(idempotency);
    return [{ tenant_id, owner_id, idempotency_key }];
  });
  if (names.length === 0) return new Set();
  const { rows } = await sql<AnswerName>`
    select i.tenant_id, i.owner_id, i.idempotency_key from ${rowsAs('n', ANSWER, names)}
    join idempotency i on i.tenant_id = n.tenant_id and i.owner_id = n.owner_id
      and i.idempotency_key = n.idempotency_key
  `.execute(db);
  return new Set(rows.map(answerName));
}

export function answerName({ tenant_id, owner_id, idempotency_key }: AnswerName): string {
  return JSON.stringify([tenant_id, owner_id, idempotency_key]);
}

/** Locked against a renewal that is under way: who is found gone cannot come back. */
async function livingOwners(db: Db, drafts: ReadonlyMap<number, SessionDraft>): Promise<Set<number>> {
  const boots = [...drafts.values()].flatMap(({ before }) =>
    [...before.runs.values()].map(({ boot }) => boot),
  );
  // Compared after the lock: one that is being renewed has to be waited for.
  const { rows } = await sql<{ boot: number; alive: boolean }>`
    with named as materialized (
      select boot, expires_at from processes
      where boot = any(${boots.filter((boot) => boot !== null)}::bigint[]) for share
    )
    select boot, expires_at > clock_timestamp() as alive from named
  `.execute(db);
  return new Set(rows.filter(({ alive }) => alive).map(({ boot }) => boot));
}
