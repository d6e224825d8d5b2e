import { type Kysely, sql } from 'kysely';

/** Names and definitions of columns, as SQL: a table is easier to read that way than as calls. */
export async function createFirstTables(db: Kysely<unknown>): Promise<void> {
  const statements = [...SESSIONS, ...LOG, ...RUNS, ...REQUESTS, ...COUNTERS, ...PROCESSES];
  for (const statement of statements) await sql.raw(statement).execute(db);
}

// Room in the pages, because the row of a session changes with each append and should stay where it is.
const SESSIONS = [
  `create table sessions (
    position bigint generated always as identity primary key,
    session_id text not null constraint sessions_key unique,
    tenant_id text not null,
    owner_id text not null,
    epoch text not null,
    head_seq bigint not null,
    floor_seq bigint not null default 0,
    kept_since bigint,
    created_at bigint not null,
    last_interaction_at bigint not null,
    unfinished_runs bigint not null,
    deleted_at bigint,
    engine_id text,
    engine_type text,
    engine_status text,
    name text,
    engine_config text,
    metadata text not null
  ) with (fillfactor = 70)`,
  `create index sessions_of_owner on sessions (tenant_id, owner_id, position) where deleted_at is null`,
  `create index sessions_of_owner_at_rest on sessions (tenant_id, owner_id, last_interaction_at)
    where deleted_at is null and unfinished_runs = 0`,
  `create index sessions_at_rest on sessions (last_interaction_at) where deleted_at is null and unfinished_runs = 0`,
  `create index sessions_deleted on sessions (deleted_at) where deleted_at is not null`,
  `create index sessions_to_prune on sessions (kept_since) where deleted_at is null and kept_since is not null`,
  `create table session_metadata (
    tenant_id text not null,
    owner_id text not null,
    key text not null,
    value text not null,
    session bigint not null,
    constraint session_metadata_key primary key (tenant_id, owner_id, key, value, session)
  )`,
  `create index session_metadata_of_session on session_metadata (session)`,
];

const LOG = [
  `create table events (
    session bigint not null,
    seq bigint not null,
    created_at bigint not null,
    size integer not null,
    event_type text not null,
    run_id text,
    payload text not null,
    constraint events_key primary key (session, seq)
  )`,
  `create table event_ids (
    session bigint not null,
    event_id text not null,
    seq bigint not null,
    constraint event_ids_key primary key (session, event_id)
  )`,
  `create index event_ids_by_seq on event_ids (session, seq)`,
  `create table messages (
    session bigint not null,
    seq bigint not null,
    accepted_seq bigint not null,
    from_seq bigint,
    to_seq bigint,
    completed_at bigint,
    size integer not null,
    run_id text,
    message text not null,
    constraint messages_key primary key (session, seq)
  )`,
  `create index messages_of_conversation on messages (session, accepted_seq, seq)`,
  `create index messages_to_compact on messages (completed_at) where to_seq is not null`,
];

const RUNS = [
  `create table runs (
    position bigint generated always as identity primary key,
    session bigint not null,
    accepted_seq bigint not null,
    boot bigint,
    open_seq bigint,
    attempt bigint not null default 0,
    elapsed_ms double precision not null default 0,
    recoveries bigint not null default 0,
    created_at bigint not null,
    started_at bigint,
    finished_at bigint,
    run_id text not null,
    status text not null,
    engine_id text not null,
    engine_type text not null,
    command text not null,
    body_hash text not null,
    engine_config text not null,
    parameters text not null,
    result text not null,
    usage text,
    error text,
    constraint runs_key unique (session, run_id)
  ) with (fillfactor = 80)`,
  `create index runs_of_session on runs (session, accepted_seq)`,
  `create index runs_unfinished on runs (session, accepted_seq) where finished_at is null`,
  `create index runs_queued on runs (boot, position) where status = 'queued'`,
  `create index runs_owned on runs (position) where status in ('queued', 'running')`,
];

const REQUESTS = [
  `create table requests (
    session bigint not null,
    seq bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    claimed_until bigint,
    resolved_at bigint,
    request_id text not null,
    run_id text not null,
    kind text not null,
    claimed_by text,
    outcome text,
    resolved_by text,
    tool_name text,
    tool_call_id text,
    request_key text not null,
    prompt text not null,
    schema text,
    arguments text,
    value text,
    reason text,
    constraint requests_key primary key (session, request_id)
  )`,
  `create index requests_of_session on requests (session, seq)`,
  `create index requests_of_run on requests (session, run_id, seq)`,
  `create index requests_pending on requests (session, seq) where outcome is null`,
  `create index requests_due on requests (expires_at) where outcome is null`,
  `create table idempotency (
    tenant_id text not null,
    owner_id text not null,
    idempotency_key text not null,
    body_hash text not null,
    created_at bigint not null,
    response text not null,
    constraint idempotency_of_owner primary key (tenant_id, owner_id, idempotency_key)
  )`,
  `create index idempotency_by_age on idempotency (created_at)`,
];

const COUNTERS = [
  `create table owners (
    tenant_id text not null,
    owner_id text not null,
    sessions bigint not null,
    constraint owners_key primary key (tenant_id, owner_id)
  ) with (fillfactor = 70)`,
  `create table meta (key text primary key, value bigint not null) with (fillfactor = 10)`,
  `insert into meta (key, value) values ('sessions', 0), ('engines', 0)`,
];

const PROCESSES = [
  `create table processes (
    boot bigint generated always as identity primary key,
    expires_at timestamptz not null
  ) with (fillfactor = 10)`,
  `create table batches (
    boot bigint primary key,
    batch bigint not null,
    outcomes text not null
  ) with (fillfactor = 10)`,
];
