/**
 * The storage contract. Everything that outlives the process goes through it; `sqlite/` and `postgres/` implement it, and
 * the contract suite in `tests/contracts/storage.ts` says what an implementation has to pass.
 *
 * Times are milliseconds since the Unix epoch. Payloads are JSON text: serialised once by the log, stored and sent as they are.
 */
import type {
  ErrorObject,
  Json,
  JsonObject,
  Message,
  RequestKind,
  RequestOutcome,
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
  /** How often it was started or continued; 0 before the first time. */
  readonly attempt: number;
  readonly result: Json;
  /** Of the steps up to the last checkpoint; of the whole run when it has ended. */
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
  /** Milliseconds that it had executed at the last checkpoint; waiting for people and for its turn does not count. */
  readonly elapsedMs: number;
  /** How often in a row its process died without a checkpoint in between. */
  readonly recoveries: number;
}

export type NewRun = Pick<
  RunRow,
  'runId' | 'engineId' | 'engineType' | 'engineConfig' | 'command' | 'parameters' | 'bodyHash' | 'createdAt'
>;

/** A request to people: it belongs to a run, and waits until it is resolved. */
export interface RequestRow extends SessionKey {
  /** Unique in its session. */
  readonly requestId: string;
  readonly runId: string;
  /** The run's own name for it, unique in the run: asked again, it finds the same request. */
  readonly requestKey: string;
  readonly kind: RequestKind;
  readonly prompt: string;
  readonly schema: JsonObject | null;
  /** Of the tool call that waits; undefined when there is none. */
  readonly arguments: Json | undefined;
  readonly toolName: string | null;
  readonly toolCallId: string | null;
  /** `seq` of its `input_requested`; it orders the requests of a session. */
  readonly seq: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Who executes it, as given to `claim_request`, and until when. */
  readonly claimedBy: string | null;
  readonly claimedUntil: number | null;
  /** Null as long as it is pending. */
  readonly resolution: Resolution | null;
}

export interface Resolution {
  readonly outcome: RequestOutcome;
  /** Who answered; `system` when nobody did. */
  readonly by: string;
  /** Undefined when the answer had none. */
  readonly value: Json | undefined;
  readonly reason: string | null;
  readonly at: number;
}

export type NewRequest = Pick<
  RequestRow,
  | 'requestId'
  | 'runId'
  | 'requestKey'
  | 'kind'
  | 'prompt'
  | 'schema'
  | 'arguments'
  | 'toolName'
  | 'toolCallId'
  | 'createdAt'
  | 'expiresAt'
>;

/**
 * What a mutating call answered, kept so that the same call again gets the same answer. Written in the transaction of
 * what the call did.
 */
export interface IdempotencyRecord extends Scope {
  /** Unique in its scope; what the caller chose, and where it was used. */
  readonly idempotencyKey: string;
  /** Digest of what was asked; the same key with another digest is a mismatch. */
  readonly bodyHash: string;
  /** JSON text. */
  readonly response: string;
  readonly createdAt: number;
}

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
  /**
   * The payload of the event at `eventIndex` of this append is a message; the seq of the event orders the messages.
   * `streamed`: its deltas lie between the run's open message and the event, so it MUST come before the write that closes
   * that message. The event then gets `replaces` (see `Replaced`), and the deltas are compacted later.
   */
  | { readonly kind: 'insert_message'; readonly eventIndex: number; readonly streamed?: boolean }
  /**
   * Refused with `run_exists` when the session has a run of this id, with `engine_changed` when the run's engine is
   * not the linked one, and with `run_in_progress` when more than `maxAhead` runs are unfinished. The first event of
   * the append is the run's first.
   */
  | { readonly kind: 'create_run'; readonly run: NewRun; readonly maxAhead: number }
  /**
   * queued → running, for the first time or to be continued; this process is its owner from then on. Refused with
   * `run_not_in_state` unless the run is queued and this is its next attempt, and with `fenced` when the lease of this
   * process has run out.
   */
  | { readonly kind: 'start_run'; readonly runId: string; readonly attempt: number; readonly at: number }
  /** A step has finished: nothing before it is ever repeated. Sets `recoveries` back to 0. */
  | {
      readonly kind: 'checkpoint';
      readonly runId: string;
      readonly usage: Usage | null;
      readonly elapsedMs: number;
    }
  /**
   * running → awaiting_input: it holds no memory, and keeps its place in the session. Refused with `nothing_pending` when
   * all its requests are resolved, and with `run_not_in_state` when it is not running. Closes the run's open message.
   */
  | { readonly kind: 'park_run'; readonly runId: string; readonly elapsedMs: number }
  /** running → queued: its owner gives it back, to be continued. Refused with `run_not_in_state`. Closes its open message. */
  | { readonly kind: 'release_run'; readonly runId: string; readonly elapsedMs: number }
  /**
   * Takes over a run whose owner is gone: it is queued from then on, and this process looks after it. Refused with
   * `run_not_in_state` unless it is queued or running, this is its attempt, and its owner is gone. Counts in `recoveries`
   * when it was running. Closes its open message.
   */
  | { readonly kind: 'recover_run'; readonly runId: string; readonly attempt: number }
  /**
   * Refused with `run_not_in_state` unless the run is in one of `from`, and with `request_pending` while one of its
   * requests is pending: they are resolved before, in the same append. Also closes the run's open message.
   */
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
  /**
   * `eventIndex` is its `input_requested`. Refused with `request_exists` when the run has a request of this key, and with
   * `run_not_in_state` unless the run is running.
   */
  | { readonly kind: 'create_request'; readonly request: NewRequest; readonly eventIndex: number }
  /** Refused with `request_not_pending`, and with `request_claimed` while somebody else holds the claim at `at`. */
  | {
      readonly kind: 'claim_request';
      readonly requestId: string;
      readonly by: string;
      readonly at: number;
      readonly until: number;
    }
  /**
   * Refused with `request_not_pending` when it is resolved or not there. A run that awaits input and has nothing pending
   * any more is queued again, and this process looks after it.
   */
  | { readonly kind: 'resolve_request'; readonly requestId: string; readonly resolution: Resolution }
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
  /**
   * The append counts only while this run is `running` in this attempt, this process is its owner, and its lease has not
   * run out; otherwise `fenced`.
   */
  readonly fence?: { readonly runId: string; readonly attempt: number };
  /** Also touch the session: it was used at this time. */
  readonly touchedAt?: number;
  /** Also keep what the caller is answered. Refused with `idempotency_exists` when there is a record of this key. */
  readonly idempotency?: IdempotencyRecord;
}

export type AppendRefusal =
  | 'session_not_found'
  | 'fenced'
  | 'run_exists'
  | 'run_in_progress'
  | 'run_not_in_state'
  | 'engine_changed'
  | 'event_exists'
  | 'request_exists'
  | 'request_pending'
  | 'request_not_pending'
  | 'request_claimed'
  | 'nothing_pending'
  | 'idempotency_exists';

/**
 * The deltas that a `message_completed` stands for: those of its run from `fromSeq` to `toSeq`. The storage alone knows
 * the numbers, so it writes them into the payload, and so does who shows the event (`withReplaces`).
 */
export interface Replaced {
  readonly eventIndex: number;
  readonly fromSeq: number;
  readonly toSeq: number;
}

export type AppendOutcome =
  | {
      readonly ok: true;
      readonly epoch: string;
      /** `seq` of the first event; when the append had none, the head. */
      readonly firstSeq: number;
      readonly lastSeq: number;
      /** For `create_run`: how many unfinished runs are ahead of it. */
      readonly position?: number;
      /** Of the messages that were streamed. */
      readonly replaced?: readonly Replaced[];
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
  /** Events up to this `seq` may be gone, because they were too old: who has not seen it cannot go on from the log. */
  readonly floorSeq: number;
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
  /** Oldest first. */
  readonly pendingRequests: readonly RequestRow[];
}

/**
 * The claim of a process on the runs that it executes, for a storage that several processes share. It is held by the
 * clock of the database, and runs out unless it is renewed.
 */
export interface Lease {
  /** Milliseconds from one renewal to the time when it runs out. */
  readonly ttlMs: number;
  /**
   * False when it had run out: what this process executed belongs to whoever takes it over, and the process goes on under
   * a new boot number. Rejects when the storage cannot be asked; it may be called again.
   */
  renew(): Promise<boolean>;
}

export interface Storage {
  /** What people read in the banner, for example `sqlite data/llmgine.db`. Holds no secret. */
  readonly description: string;
  /**
   * Number of this start of the process on this data, by which its runs know their owner. MUST grow with each start.
   * Changes when a lease was lost.
   */
  readonly boot: number;
  /** Absent where one process owns the data: the others are gone then. */
  readonly lease?: Lease;

  /**
   * Applies the batch in one transaction and resolves after the commit. One call at a time: the caller waits for the one
   * before. Order inside a session is the order of the
   * batch. Sequence numbers of a session MUST grow by exactly one and MUST NOT be visible before the commit. A refused
   * append MUST change nothing and MUST NOT affect the others. Rejects only when the storage itself fails
   * (`STORAGE_FULL`, `UNAVAILABLE`), and then nothing of the batch was applied.
   */
  append(batch: readonly Append[]): Promise<readonly AppendOutcome[]>;

  /**
   * `full` when `maxSessions` sessions exist already, `idempotency_exists` when there is a record of this key; nothing
   * was made then. The session's counters and the record change in the same transaction.
   */
  createSession(
    session: NewSession,
    maxSessions: number,
    idempotency?: IdempotencyRecord,
  ): Promise<'created' | 'full' | 'idempotency_exists'>;
  getSession(key: SessionKey): Promise<SessionRow | null>;
  listSessions(scope: Scope, query: SessionQuery): Promise<SessionPage>;
  /** Sets `lastInteractionAt` where it grows by that. Unknown sessions are skipped. */
  touchSessions(touches: readonly { readonly key: SessionKey; readonly at: number }[]): Promise<void>;
  /**
   * The session is gone from every query at once; false when it was not there. Its rows go with `purge`. A record that is
   * there already is left as it is.
   */
  deleteSession(key: SessionKey, idempotency?: IdempotencyRecord): Promise<boolean>;
  /** Like `deleteSession` for at most `limit` sessions untouched since `untouchedSince` without unfinished runs. */
  expireSessions(untouchedSince: number, limit: number): Promise<readonly SessionKey[]>;
  /** The earliest `lastInteractionAt` of a session that may expire, or null. */
  nextExpiry(): Promise<number | null>;
  /** Removes at most `limit` rows of deleted sessions; true while there is more. */
  purge(limit: number): Promise<boolean>;
  counts(): Promise<{ readonly sessions: number; readonly engines: number }>;

  /**
   * Events after `after` that are kept, in order: at most `limit`, and fewer when they have more than `maxSize` characters
   * of JSON together (default `MAX_PAGE_SIZE`), but at least one; an empty page means that there are none. Null when the
   * session is not there.
   */
  readEvents(key: SessionKey, after: number, limit: number, maxSize?: number): Promise<EventPage | null>;
  /** The events of an unfinished run of these types, in order; nothing prunes them before it has ended. */
  runEvents(key: SessionKey, runId: string, eventTypes: readonly string[]): Promise<readonly LogEvent[]>;
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
  /** Sessions with a queued run that this process looks after, in the order of their oldest one. */
  sessionsWithQueuedRuns(): Promise<readonly SessionKey[]>;
  /** Runs that are queued or running and whose owner is gone, oldest first. Those that await input have none. */
  orphanedRuns(): Promise<readonly RunRow[]>;

  getRequest(key: SessionKey, requestId: string): Promise<RequestRow | null>;
  /** Newest first; `before` is a `seq`. */
  listRequests(
    key: SessionKey,
    options: { limit: number; before?: number; pending?: boolean },
  ): Promise<{ readonly requests: readonly RequestRow[]; readonly next: number | null }>;
  /** All requests of a run, oldest first. */
  requestsOfRun(key: SessionKey, runId: string): Promise<readonly RequestRow[]>;
  /** Pending requests that expire at `now` or before, of all sessions, the earliest first. */
  dueRequests(now: number, limit: number): Promise<readonly RequestRow[]>;
  /** The earliest `expiresAt` of a pending request, or null. */
  nextRequestExpiry(): Promise<number | null>;

  /**
   * Removes at most `limit` deltas of messages that were completed before `completedBefore` and streamed; what they said
   * is in the messages. True while there is more. MUST NOT remove anything else.
   */
  compactEvents(completedBefore: number, limit: number): Promise<boolean>;
  /** When the earliest message was completed that has deltas to compact, or null. */
  nextCompaction(): Promise<number | null>;
  /**
   * Removes at most `limit` events that were appended before `createdBefore`, from the beginning of their log, and the ids
   * that clients chose for them; `floorSeq` rises in the same transaction. True while there is more. MUST NOT remove
   * events of, or after the beginning of, a run that has not ended.
   */
  pruneEvents(createdBefore: number, limit: number): Promise<boolean>;
  /** A time before which no event was appended that can be pruned, or null when there is none at all. */
  nextPrune(): Promise<number | null>;

  getIdempotency(scope: Scope, idempotencyKey: string): Promise<IdempotencyRecord | null>;
  /** Removes at most `limit` records made before `createdBefore`; true while there is more. */
  pruneIdempotency(createdBefore: number, limit: number): Promise<boolean>;

  /** Resolves when a query works; rejects otherwise. */
  check(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
