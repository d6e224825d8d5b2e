import { type RawBuilder, sql, type Transaction } from 'kysely';
import { addEngines } from './counters.ts';
import type { BatchDraft, MessageColumns, RequestDraft, RunDraft, SessionDraft } from './draft.ts';
import { EVENT } from './event-row.ts';
import { keepAnswers } from './idempotency.ts';
import { type Columns, insertRows, rowsAs } from './rows.ts';
import type { Schema } from './schema.ts';
import { engineColumns } from './session-row.ts';

type Db = Transaction<Schema>;
type RunChange = { readonly session: number; readonly run_id: string } & Omit<
  RunDraft,
  'added' | 'accepted_seq'
>;
type NewRun = RunChange & Pick<RunDraft, 'accepted_seq'> & NonNullable<RunDraft['added']>;
type RequestChange = { readonly session: number; readonly request_id: string } & Pick<
  RequestDraft,
  'claimed_by' | 'claimed_until' | 'outcome' | 'resolved_by' | 'resolved_at' | 'value' | 'reason'
>;
type NewRequest = RequestChange &
  Pick<RequestDraft, 'run_id' | 'request_key'> &
  NonNullable<RequestDraft['added']>;
interface SessionChange {
  readonly position: number;
  readonly head_seq: number;
  readonly unfinished_runs: number;
  readonly last_interaction_at: number;
}

const SESSION: Columns<SessionChange> = {
  position: 'bigint',
  head_seq: 'bigint',
  unfinished_runs: 'bigint',
  last_interaction_at: 'bigint',
};
interface UseOfSession {
  readonly position: number;
  readonly usage: string | null;
  readonly steps: number;
  readonly elapsed_ms: number;
}
const USE: Columns<UseOfSession> = {
  position: 'bigint',
  usage: 'text',
  steps: 'bigint',
  elapsed_ms: 'float8',
};
const EVENT_ID: Columns<BatchDraft['eventIds'][number]> = {
  session: 'bigint',
  event_id: 'text',
  seq: 'bigint',
};
const MESSAGE: Columns<MessageColumns> = {
  session: 'bigint',
  seq: 'bigint',
  accepted_seq: 'bigint',
  from_seq: 'bigint',
  to_seq: 'bigint',
  completed_at: 'bigint',
  size: 'bigint',
  run_id: 'text',
  message: 'text',
};
const RUN_CHANGE: Columns<RunChange> = {
  session: 'bigint',
  run_id: 'text',
  status: 'text',
  boot: 'bigint',
  open_seq: 'bigint',
  attempt: 'bigint',
  elapsed_ms: 'float8',
  recoveries: 'bigint',
  started_at: 'bigint',
  finished_at: 'bigint',
  usage: 'text',
  steps: 'bigint',
  reserved: 'text',
  result: 'text',
  error: 'text',
};
const NEW_RUN: Columns<NewRun> = {
  ...RUN_CHANGE,
  accepted_seq: 'bigint',
  created_at: 'bigint',
  engine_id: 'text',
  engine_type: 'text',
  command: 'text',
  body_hash: 'text',
  engine_config: 'text',
  parameters: 'text',
};
const REQUEST_CHANGE: Columns<RequestChange> = {
  session: 'bigint',
  request_id: 'text',
  claimed_by: 'text',
  claimed_until: 'bigint',
  outcome: 'text',
  resolved_by: 'text',
  resolved_at: 'bigint',
  value: 'text',
  reason: 'text',
};
const NEW_REQUEST: Columns<NewRequest> = {
  ...REQUEST_CHANGE,
  run_id: 'text',
  request_key: 'text',
  seq: 'bigint',
  kind: 'text',
  created_at: 'bigint',
  expires_at: 'bigint',
  tool_name: 'text',
  tool_call_id: 'text',
  prompt: 'text',
  schema: 'text',
  arguments: 'text',
};

/** Writes what the appends have changed: one statement for each kind of rows, and one for what every batch changes. */
export async function flushBatch(
  db: Db,
  batch: BatchDraft,
  committed: { readonly batch: number; readonly outcomes: string },
): Promise<void> {
  const drafts = [...batch.sessions.values()].map(({ draft }) => draft);
  await flushRuns(db, drafts);
  await flushRequests(db, drafts);
  const messages = drafts.flatMap(({ now }) => now.messages);
  if (messages.length > 0) await insertRows('messages', MESSAGE, messages).execute(db);
  if (batch.eventIds.length > 0) await insertRows('event_ids', EVENT_ID, batch.eventIds).execute(db);
  await keepAnswers(db, batch.answers);

  const parts: RawBuilder<unknown>[] = [];
  if (batch.events.length > 0) parts.push(sql`told as (${insertRows('events', EVENT, batch.events)})`);
  const changed = drafts.filter(hasChanged).map(sessionChange);
  if (changed.length > 0) {
    parts.push(sql`moved as (
      update sessions set head_seq = c.head_seq, unfinished_runs = c.unfinished_runs,
        last_interaction_at = c.last_interaction_at
      from ${rowsAs('c', SESSION, changed)} where sessions.position = c.position
    )`);
  }
  const first = parts.length > 0 ? sql`with ${sql.join(parts)} ` : sql``;
  await sql`${first}insert into batches (boot, batch, outcomes)
    values (${batch.boot}, ${committed.batch}, ${committed.outcomes})
    on conflict (boot) do update set batch = excluded.batch, outcomes = excluded.outcomes`.execute(db);

  await flushUse(db, drafts);
  await batch.days.flush(db);

  const prunable = drafts.filter(({ before, now }) => now.prunable && !before.prunable);
  if (prunable.length > 0) await findOldest(db, prunable);
  await flushEngines(db, drafts);
}

async function flushRuns(db: Db, drafts: readonly SessionDraft[]): Promise<void> {
  const added: NewRun[] = [];
  const changed: RunChange[] = [];
  for (const { position: session, before, now } of drafts) {
    for (const [run_id, run] of now.runs) {
      if (run === before.runs.get(run_id)) continue;
      const { added: fixed, ...row } = run;
      if (fixed) added.push({ session, run_id, ...row, ...fixed, result: row.result ?? 'null' });
      else changed.push({ session, run_id, ...row });
    }
  }
  if (added.length > 0) await insertRows('runs', NEW_RUN, added).execute(db);
  if (changed.length === 0) return;
  await sql`
    update runs set status = c.status, boot = c.boot, open_seq = c.open_seq, attempt = c.attempt,
      elapsed_ms = c.elapsed_ms, recoveries = c.recoveries, started_at = c.started_at, finished_at = c.finished_at,
      usage = c.usage, steps = c.steps, reserved = c.reserved, result = coalesce(c.result, runs.result),
      error = coalesce(c.error, runs.error)
    from ${rowsAs('c', RUN_CHANGE, changed)} where runs.session = c.session and runs.run_id = c.run_id
  `.execute(db);
}

async function flushUse(db: Db, drafts: readonly SessionDraft[]): Promise<void> {
  const changed: UseOfSession[] = drafts
    .filter(({ before, now }) => now.use !== before.use)
    .map(({ position, now: { use } }) => ({
      position,
      usage: use.usage && JSON.stringify(use.usage),
      steps: use.steps,
      elapsed_ms: use.elapsedMs,
    }));
  if (changed.length === 0) return;
  await sql`
    update sessions set usage = c.usage, steps = c.steps, elapsed_ms = c.elapsed_ms
    from ${rowsAs('c', USE, changed)} where sessions.position = c.position
  `.execute(db);
}

async function flushRequests(db: Db, drafts: readonly SessionDraft[]): Promise<void> {
  const added: NewRequest[] = [];
  const changed: RequestChange[] = [];
  for (const { position: session, before, now } of drafts) {
    for (const [request_id, request] of now.requests) {
      if (request === before.requests.get(request_id)) continue;
      const { added: fixed, ...row } = request;
      if (fixed) added.push({ session, request_id, ...row, ...fixed });
      else changed.push({ session, request_id, ...row });
    }
  }
  if (added.length > 0) await insertRows('requests', NEW_REQUEST, added).execute(db);
  if (changed.length === 0) return;
  await sql`
    update requests set claimed_by = c.claimed_by, claimed_until = c.claimed_until, outcome = c.outcome,
      resolved_by = c.resolved_by, resolved_at = c.resolved_at, value = c.value, reason = c.reason
    from ${rowsAs('c', REQUEST_CHANGE, changed)}
    where requests.session = c.session and requests.request_id = c.request_id
  `.execute(db);
}

async function findOldest(db: Db, drafts: readonly SessionDraft[]): Promise<void> {
  const positions = drafts.map(({ position }) => position);
  await sql`
    update sessions set kept_since =
      (select created_at from events where events.session = sessions.position order by seq limit 1)
    where position = any(${positions}::bigint[])
  `.execute(db);
}

/** Last, because everybody who links an engine waits for the number of them. */
async function flushEngines(db: Db, drafts: readonly SessionDraft[]): Promise<void> {
  let engines = 0;
  for (const { position, before, now } of drafts) {
    const status = now.engineStatus === undefined ? {} : { engine_status: now.engineStatus };
    const columns = now.linked === undefined ? status : { ...engineColumns(now.linked), ...status };
    if (Object.keys(columns).length === 0) continue;
    await db.updateTable('sessions').set(columns).where('position', '=', position).execute();
    engines += (now.engineId === null ? 0 : 1) - (before.engineId === null ? 0 : 1);
  }
  if (engines !== 0) await addEngines(db, engines);
}

function hasChanged({ before, now }: SessionDraft): boolean {
  return (
    now.headSeq !== before.headSeq ||
    now.unfinishedRuns !== before.unfinishedRuns ||
    now.lastInteractionAt !== before.lastInteractionAt
  );
}

function sessionChange({ position, now }: SessionDraft): SessionChange {
  return {
    position,
    head_seq: now.headSeq,
    unfinished_runs: now.unfinishedRuns,
    last_interaction_at: now.lastInteractionAt,
  };
}
