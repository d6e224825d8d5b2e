/** The tables as Kysely sees them. Times are milliseconds since the Unix epoch, JSON is text. */
import type { RunStatus } from '@llmgine/protocol';
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
  deleted_at: number | null;
  engine_id: string | null;
  engine_type: string | null;
  engine_status: 'running' | 'failed' | null;
  name: string | null;
  engine_config: string | null;
  metadata: string;
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
}

export interface RunsTable {
  /** Order of acceptance among all sessions. */
  position: Generated<number>;
  session: number;
  run_id: string;
  accepted_seq: number;
  status: RunStatus;
  /** Boot number under which it was started. */
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
}

/** Sessions that are not deleted, per owner. */
export interface OwnersTable {
  tenant_id: string;
  owner_id: string;
  sessions: number;
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
  owners: OwnersTable;
  meta: MetaTable;
}
