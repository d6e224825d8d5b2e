/** The tables as Kysely sees them. Times are milliseconds since the Unix epoch, JSON is text. */
import type { RequestKind, RequestOutcome, RunStatus } from '@llmgine/protocol';
import type { Generated } from 'kysely';

export interface SessionsTable {
  /** Order of creation; all other tables refer to a session by it. */
  position: Generated<number>;
  session_id: string;
  tenant_id: string;
  owner_id: string;
  epoch: string;
  head_seq: number;
  created_at: number;
  last_interaction_at: number;
  unfinished_runs: number;
  /** Of an import that is not complete: when it will be, should nothing more come of it. */
  deleted_at: number | null;
  engine_id: string | null;
  engine_type: string | null;
  engine_status: 'running' | 'failed' | null;
  name: string | null;
  engine_config: string | null;
  metadata: string;
  /** Events up to this `seq` were pruned. */
  floor_seq: Generated<number>;
  /** `created_at` of the oldest event that is kept; null when there is none, or a run keeps it from being pruned. */
  kept_since: number | null;
  /** Of its runs together. */
  usage: string | null;
  steps: Generated<number>;
  elapsed_ms: Generated<number>;
  /** A `ForkOrigin`. */
  forked_from: string | null;
}

/** Scalar top-level metadata values as text, so that a filter is a look-up. */
export interface SessionMetadataTable {
  tenant_id: string;
  owner_id: string;
  key: string;
  value: string;
  session: number;
}

export interface EventsTable {
  session: number;
  seq: number;
  event_type: string;
  run_id: string | null;
  payload: string;
  created_at: number;
}

/** Ids that clients chose for the events that they published. */
export interface EventIdsTable {
  session: number;
  event_id: string;
  seq: number;
}

export interface MessagesTable {
  session: number;
  /** Of the `message_completed`. */
  seq: number;
  /** Of the message's run; the message's own `seq` when it has none. */
  accepted_seq: number;
  message: string;
  /** Where its deltas lie; null when there is nothing left to compact. */
  from_seq: number | null;
  to_seq: number | null;
  completed_at: number | null;
}

export interface RunsTable {
  /** Order of acceptance among all sessions. */
  position: Generated<number>;
  session: number;
  run_id: string;
  accepted_seq: number;
  status: RunStatus;
  /** Boot number of the process that looks after it. */
  boot: number | null;
  open_seq: number | null;
  created_at: number;
  started_at: number | null;
  /** `null` as long as the run is unfinished. */
  finished_at: number | null;
  engine_id: string;
  engine_type: string;
  command: string;
  body_hash: string;
  engine_config: string;
  parameters: string;
  result: string;
  usage: string | null;
  error: string | null;
  attempt: Generated<number>;
  elapsed_ms: Generated<number>;
  recoveries: Generated<number>;
  steps: Generated<number>;
  /** A `Reservation`. */
  reserved: string | null;
}

export interface RequestsTable {
  session: number;
  request_id: string;
  run_id: string;
  request_key: string;
  /** Of its `input_requested`. */
  seq: number;
  kind: RequestKind;
  created_at: number;
  expires_at: number;
  claimed_by: string | null;
  claimed_until: number | null;
  /** `null` as long as it is pending. */
  outcome: RequestOutcome | null;
  resolved_at: number | null;
  resolved_by: string | null;
  tool_name: string | null;
  tool_call_id: string | null;
  prompt: string;
  schema: string | null;
  arguments: string | null;
  value: string | null;
  reason: string | null;
}

export interface IdempotencyTable {
  tenant_id: string;
  owner_id: string;
  idempotency_key: string;
  body_hash: string;
  created_at: number;
  response: string;
}

/** Those that are not complete belong to nobody but whoever writes them. */
export interface FilesTable {
  session: number;
  file_id: string;
  created_at: number;
  /** When the last piece came; 0 once it is to be removed. */
  written_at: number;
  completed_at: number | null;
  /** Bytes. */
  size: number;
  /** Bytes that it counts as. */
  room: number;
  duration: number | null;
  mime_type: string;
}

/** The bytes of the files, in pieces that follow each other. */
export interface FilePiecesTable {
  session: number;
  file_id: string;
  /** Where it begins in the file. */
  start: number;
  bytes: Uint8Array;
}

/** Sessions that are not deleted, per owner. */
export interface OwnersTable {
  tenant_id: string;
  owner_id: string;
  sessions: number;
}

/** What the runs of an owner used on a day in UTC, `2026-01-31`, and what they have set aside. */
export interface UsageDaysTable {
  tenant_id: string;
  owner_id: string;
  day: string;
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
  cached_input_tokens: number;
  reasoning_tokens: number;
  cost: number;
  steps: number;
  elapsed_ms: number;
  reserved_tokens: number;
  reserved_cost: number;
  reserved_steps: number;
  reserved_ms: number;
}

/** API keys. */
export interface KeysTable {
  /** Order of creation. */
  position: Generated<number>;
  key_id: string;
  digest: Uint8Array;
  name: string;
  tenant_id: string;
  principal_id: string;
  role: string;
  /** A list. */
  scopes: string | null;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  revoked_at: number | null;
  successor_id: string | null;
}

export interface BrowserSessionsTable {
  /** Order of creation. */
  position: Generated<number>;
  id: string;
  digest: Uint8Array;
  proof: Uint8Array;
  tenant_id: string;
  principal_id: string;
  role: string;
  /** A list. */
  scopes: string | null;
  credential_kind: string;
  credential_id: string | null;
  created_at: number;
  used_at: number;
  expires_at: number;
}

/** Only ever added to. */
export interface AuditLogTable {
  number: number;
  id: string;
  at: number;
  action: string;
  principal_id: string | null;
  entry: string;
  hash: string;
}

/** One row at most. */
export interface AuditHeadTable {
  one: number;
  number: number;
  hash: string;
}

/** Numbers of the whole database: `boot`, `sessions` and `engines` (both of sessions that are not deleted). */
export interface MetaTable {
  key: string;
  value: number;
}

export interface Schema {
  sessions: SessionsTable;
  session_metadata: SessionMetadataTable;
  events: EventsTable;
  event_ids: EventIdsTable;
  messages: MessagesTable;
  runs: RunsTable;
  requests: RequestsTable;
  idempotency: IdempotencyTable;
  files: FilesTable;
  file_pieces: FilePiecesTable;
  owners: OwnersTable;
  usage_days: UsageDaysTable;
  keys: KeysTable;
  browser_sessions: BrowserSessionsTable;
  audit_log: AuditLogTable;
  audit_head: AuditHeadTable;
  meta: MetaTable;
}
