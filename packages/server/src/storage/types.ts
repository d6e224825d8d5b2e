/**
 * The storage contract. Everything that outlives the process goes through it; `sqlite/` implements it, and the contract
 * suite in `tests/contracts/storage.ts` says what an implementation has to pass.
 *
 * Times are milliseconds since the Unix epoch. Payloads are JSON text: serialised once by the log, stored and sent as they are.
 */
import type {
  ErrorObject,
  Json,
  JsonObject,
  Message,
  RunOutcome,
  RunStatus,
  SessionStatus,
  Usage,
} from '@llmgine/protocol';
import type { LogEvent } from './log-event.ts';

/** Characters of JSON that a page of events or messages holds at most, unless a single one has more. */
export const MAX_PAGE_SIZE = 1_048_576;

/** Whose data is asked for. There is no query without it. */
export interface Scope {
  readonly tenantId: string;
  readonly ownerId: string;
}

export interface SessionKey extends Scope {
  readonly sessionId: string;
}

export interface EngineRow {
  readonly engineId: string;
  readonly engineType: string;
  readonly config: JsonObject;
  readonly status: 'running' | 'failed';
}

export interface SessionRow extends SessionKey {
  readonly epoch: string;
  /** `seq` of the newest event, 0 when there is none. */
  readonly headSeq: number;
  readonly name: string | null;
  readonly metadata: JsonObject;
  readonly createdAt: number;
  readonly lastInteractionAt: number;
  readonly unfinishedRuns: number;
  readonly engine: EngineRow | null;
}

export interface NewSession extends SessionKey {
  readonly epoch: string;
  readonly name: string | null;
  readonly metadata: JsonObject;
  readonly createdAt: number;
  readonly engine: EngineRow | null;
  /** What its log begins with. */
  readonly events: readonly NewEvent[];
}

export interface SessionQuery {
  readonly limit: number;
  /** Keyset: only sessions older than this `position`. */
  readonly before?: number;
  readonly offset?: number;
  readonly status?: SessionStatus;
  /** Top-level metadata values, compared as text (`true`, `7`, `null`, a string as it is). */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Sessions touched before it and without unfinished runs are idle, unless their engine has failed. */
  readonly idleBefore: number;
  /** Sessions touched before it and without unfinished runs have expired: they are not listed. `null`: never. */
  readonly expiredBefore: number | null;
}

export interface SessionPage {
  /** Newest first. */
  readonly sessions: readonly SessionRow[];
  readonly total: number;
  readonly totalExact: boolean;
  /** `before` of the next page, or null on the last. */
  readonly next: number | null;
}

/** A run without what it was given, which may be large. */
export interface RunSummary extends SessionKey {
  readonly runId: string;
  readonly engineId: string;
  readonly engineType: string;
  readonly command: string;
  readonly status: RunStatus;
  /** `seq` of the run's first event; it orders the runs of a session. */
  readonly acceptedSeq: number;
  /** `seq` of the `message_started` whose message is not completed, or null. */
  readonly openSeq: number | null;
  readonly result: Json;
  readonly usage: Usage | null;
  readonly error: ErrorObject | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
}

export interface RunRow extends RunSummary {
  readonly engineConfig: JsonObject;
  readonly parameters: JsonObject;
  /** Digest of what the client asked for; the same `runId` with another digest is a mismatch. */
  readonly bodyHash: string;
}

export type NewRun = Pick<
  RunRow,
  'runId' | 'engineId' | 'engineType' | 'engineConfig' | 'command' | 'parameters' | 'bodyHash' | 'createdAt'
>;

export interface NewEvent {
  readonly eventType: string;
  readonly runId: string | null;
  /** JSON text of an object. */
  readonly payload: string;
  readonly createdAt: number;
  /** Client-chosen id of a published event, unique in its session. */
  readonly eventId?: string;
}

/**
 * Rows that change in the transaction of the events that they follow from. Applied in their order: each sees what those
 * before it did, so a run comes before its messages.
 */
export type Write =
  /** The payload of the event at `eventIndex` of this append is a message; the seq of the event orders the messages. */
  | { readonly kind: 'insert_message'; readonly eventIndex: number }
  /**
   * Refused with `run_exists` when the session has a run of this id, with `engine_changed` when the run's engine is
   * not the linked one, and with `run_in_progress` when more than `maxAhead` runs are unfinished. The first event of
   * the append is the run's first.
   */
  | { readonly kind: 'create_run'; readonly run: NewRun; readonly maxAhead: number }
  /** queued → running, claimed under the boot number of this storage. Refused with `run_not_in_state`. */
  | { readonly kind: 'start_run'; readonly runId: string; readonly at: number }
  /** Refused with `run_not_in_state` unless the run is in one of `from`. Also closes the run's open message. */
  | {
      readonly kind: 'finish_run';
      readonly runId: string;
      readonly from: readonly RunStatus[];
      readonly status: RunOutcome;
      readonly result: Json;
      readonly usage: Usage | null;
      readonly error: ErrorObject | null;
      readonly at: number;
    }
  /** Remembers where the run's unfinished message began; `eventIndex: null` forgets it. */
  | { readonly kind: 'open_message'; readonly runId: string; readonly eventIndex: number | null }
  /** Both are refused with `run_in_progress` while a run of the session is unfinished. */
  | { readonly kind: 'link_engine'; readonly engine: EngineRow }
  /** Refused with `engine_changed` unless this engine is the linked one. */
  | { readonly kind: 'unlink_engine'; readonly engineId: string }
  | { readonly kind: 'set_engine_status'; readonly engineId: string; readonly status: EngineRow['status'] };

export interface Append {
  readonly session: SessionKey;
  /** May be empty when only rows change. */
  readonly events: readonly NewEvent[];
  readonly writes?: readonly Write[];
  /** The append counts only while this run is `running` under the boot number of this storage; otherwise `fenced`. */
  readonly fence?: { readonly runId: string };
  /** Also touch the session: it was used at this time. */
  readonly touchedAt?: number;
}

export type AppendRefusal =
  | 'session_not_found'
  | 'fenced'
  | 'run_exists'
  | 'run_in_progress'
  | 'run_not_in_state'
  | 'engine_changed'
  | 'event_exists';

export type AppendOutcome =
  | {
      readonly ok: true;
      readonly epoch: string;
      /** `seq` of the first event; when the append had none, the head. */
      readonly firstSeq: number;
      readonly lastSeq: number;
      /** For `create_run`: how many unfinished runs are ahead of it. */
      readonly position?: number;
    }
  | {
      readonly ok: false;
      readonly reason: AppendRefusal /** For `event_exists`: where it is. */;
      readonly seq?: number;
      readonly epoch?: string;
    };

export interface EventPage {
  readonly epoch: string;
  readonly headSeq: number;
  readonly events: readonly LogEvent[];
}

export interface MessagePage {
  /** Oldest first. */
  readonly messages: readonly Message[];
  /** `before` of the page of older messages, or null. */
  readonly next: number | null;
  readonly epoch: string;
  readonly headSeq: number;
}

export interface Snapshot extends MessagePage {
  /** Unfinished runs in their order. */
  readonly runs: readonly RunSummary[];
  /** The events of the open message of the running run: `message_started` and its deltas. */
  readonly openEvents: readonly LogEvent[];
}

export interface Storage {
  /** What people read in the banner, for example `sqlite data/llmgine.db`. Holds no secret. */
  readonly description: string;
  /** Number of this start of the process on this data: the fence of its runs. MUST grow with each start. */
  readonly boot: number;

  /**
   * Applies the batch in one transaction and resolves after the commit. Order inside a session is the order of the
   * batch. Sequence numbers of a session MUST grow by exactly one and MUST NOT be visible before the commit. A refused
   * append MUST change nothing and MUST NOT affect the others. Rejects only when the storage itself fails
   * (`STORAGE_FULL`, `UNAVAILABLE`), and then nothing of the batch was applied.
   */
  append(batch: readonly Append[]): Promise<readonly AppendOutcome[]>;

  /** False when `maxSessions` sessions exist already. The session's counters change in the same transaction. */
  createSession(session: NewSession, maxSessions: number): Promise<boolean>;
  getSession(key: SessionKey): Promise<SessionRow | null>;
  listSessions(scope: Scope, query: SessionQuery): Promise<SessionPage>;
  /** Sets `lastInteractionAt` where it grows by that. Unknown sessions are skipped. */
  touchSessions(touches: readonly { readonly key: SessionKey; readonly at: number }[]): Promise<void>;
  /** The session is gone from every query at once; false when it was not there. Its rows go with `purge`. */
  deleteSession(key: SessionKey): Promise<boolean>;
  /** Like `deleteSession` for at most `limit` sessions untouched since `untouchedSince` without unfinished runs. */
  expireSessions(untouchedSince: number, limit: number): Promise<readonly SessionKey[]>;
  /** The earliest `lastInteractionAt` of a session that may expire, or null. */
  nextExpiry(): Promise<number | null>;
  /** Removes at most `limit` rows of deleted sessions; true while there is more. */
  purge(limit: number): Promise<boolean>;
  counts(): Promise<{ readonly sessions: number; readonly engines: number }>;

  /**
   * Events after `after`, in order: at most `limit`, and fewer when they have more than `maxSize` characters of JSON
   * together (default `MAX_PAGE_SIZE`), but at least one; an empty page means that there are none. Null when the session
   * is not there.
   */
  readEvents(key: SessionKey, after: number, limit: number, maxSize?: number): Promise<EventPage | null>;
  /**
   * The newest messages before `before` (a message position, exclusive), oldest first: at most `limit`, and fewer when
   * they have more than `MAX_PAGE_SIZE` together. Null when the session is not there.
   */
  readMessages(key: SessionKey, options: { limit: number; before?: number }): Promise<MessagePage | null>;
  /** Messages, unfinished runs and the open message as of one moment. */
  snapshot(key: SessionKey, options: { limit: number; before?: number }): Promise<Snapshot | null>;
  /** The conversation as a run sees it: all messages of runs up to `acceptedSeq`, grouped in the order of the runs. */
  conversation(key: SessionKey, acceptedSeq: number): Promise<readonly Message[]>;

  getRun(key: SessionKey, runId: string): Promise<RunRow | null>;
  /** Newest first; `before` is an `acceptedSeq`. */
  listRuns(
    key: SessionKey,
    options: { limit: number; before?: number; status?: RunStatus },
  ): Promise<{ readonly runs: readonly RunSummary[]; readonly next: number | null }>;
  /** The oldest unfinished run of a session: it has the session's place, queued or running. */
  nextRun(key: SessionKey): Promise<RunRow | null>;
  /** How many unfinished runs of a session began before this `acceptedSeq`. */
  countUnfinishedRuns(key: SessionKey, before: number): Promise<number>;
  /** Ids of the unfinished runs of a session, in their order. */
  unfinishedRunIds(key: SessionKey): Promise<readonly string[]>;
  /** Of all sessions. */
  countQueuedRuns(): Promise<number>;
  /** Sessions with a queued run, in the order of their oldest one. */
  sessionsWithQueuedRuns(): Promise<readonly SessionKey[]>;
  /** Runs that are `running` under another boot number: their process is gone. */
  orphanedRuns(): Promise<readonly RunRow[]>;

  /** Resolves when a query works; rejects otherwise. */
  check(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
