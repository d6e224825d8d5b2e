/**
 * The storage contract. Everything that outlives the process goes through it; `sqlite/` and `postgres/` implement it, and
 * the contract suite in `tests/contracts/storage.ts` says what an implementation has to pass.
 *
 * Times are milliseconds since the Unix epoch. Payloads are JSON text: serialised once by the log, stored and sent as they are.
 */
import type { Message, RunStatus, SessionStatus } from '@llmgine/protocol';
import type { Append, AppendOutcome } from './append.ts';
import type { AuditStorage } from './audit.ts';
import type { BrowserSessionStorage } from './browser-sessions.ts';
import type { FileStorage } from './files.ts';
import type { KeyStorage } from './keys.ts';
import type { LogEvent } from './log-event.ts';
import type {
  DayUse,
  IdempotencyRecord,
  NewSession,
  RequestRow,
  RunPlace,
  RunRow,
  RunSummary,
  Scope,
  SessionKey,
  SessionRow,
  UnfinishedRun,
  WaitingRun,
} from './rows.ts';
import type { TransferStorage } from './transfers.ts';

export type * from './append.ts';
export type * from './audit.ts';
export type * from './browser-sessions.ts';
export type * from './budget.ts';
export type * from './files.ts';
export type * from './keys.ts';
export type * from './rows.ts';
export type * from './transfers.ts';

/** Characters of JSON that a page of events or messages holds at most, unless a single one has more. */
export const MAX_PAGE_SIZE = 1_048_576;

export type SessionCreation = 'created' | 'full' | 'owner_full' | 'idempotency_exists';

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
   * (`STORAGE_FULL`, `UNAVAILABLE`). Then nothing of the batch was applied, or, where the answer to a commit was lost and
   * could not be had in time, all of it may have been.
   */
  append(batch: readonly Append[]): Promise<readonly AppendOutcome[]>;

  /**
   * `full` when `maxSessions` sessions exist already, `owner_full` when `maxOfOwner` of this owner do,
   * `idempotency_exists` when there is a record of this key; nothing was made then. Of several at once, no more are made. The session's counters and the record change in the same transaction.
   */
  createSession(
    session: NewSession,
    maxSessions: number,
    idempotency?: IdempotencyRecord,
    maxOfOwner?: number,
  ): Promise<SessionCreation>;
  getSession(key: SessionKey): Promise<SessionRow | null>;
  listSessions(scope: Scope, query: SessionQuery): Promise<SessionPage>;
  /** Sets `lastInteractionAt` where it grows by that. Unknown sessions are skipped. */
  touchSessions(touches: readonly { readonly key: SessionKey; readonly at: number }[]): Promise<void>;
  /**
   * The session is gone from every query at once; false when it was not there. Its rows go with `purge`. A record that is
   * there already is left as it is. What its runs have set aside of their owner's budget counts as used.
   */
  deleteSession(key: SessionKey, idempotency?: IdempotencyRecord): Promise<boolean>;
  /** Like `deleteSession` for at most `limit` sessions untouched since `untouchedSince` without unfinished runs. */
  expireSessions(untouchedSince: number, limit: number): Promise<readonly SessionKey[]>;
  /** The earliest `lastInteractionAt` of a session that may expire, or null. */
  nextExpiry(): Promise<number | null>;
  /** Removes at most `limit` rows of deleted sessions and of imports that came to nothing; true while there is more. */
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
  /**
   * Unfinished runs of all sessions, or those of one tenant; of a session the newest first. `before` is what the page before
   * said is `next`.
   */
  unfinishedRuns(options: {
    readonly limit: number;
    readonly tenantId?: string;
    readonly before?: RunPlace;
    readonly status?: RunStatus;
  }): Promise<{ readonly runs: readonly UnfinishedRun[]; readonly next: RunPlace | null }>;
  /**
   * The same of those that are queued or await input, and were not in the middle of anything: no message is open, and
   * nothing is set aside. MUST be one statement.
   */
  waitingRuns(options: {
    readonly limit: number;
    readonly tenantId?: string;
    readonly before?: RunPlace;
  }): Promise<{ readonly runs: readonly WaitingRun[]; readonly next: RunPlace | null }>;
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

  /** What the runs of an owner have used on a day in UTC, `2026-01-31`; null when that is nothing. */
  usageOn(scope: Scope, day: string): Promise<DayUse | null>;
  /** Removes at most `limit` such sums of days before `day`, whosoever they are; true while there is more. */
  pruneUsage(day: string, limit: number): Promise<boolean>;
  /** The earliest day that has one, or null. */
  oldestUsage(): Promise<string | null>;

  getIdempotency(scope: Scope, idempotencyKey: string): Promise<IdempotencyRecord | null>;
  /** Removes at most `limit` records made before `createdBefore`; true while there is more. */
  pruneIdempotency(createdBefore: number, limit: number): Promise<boolean>;

  readonly files: FileStorage;
  readonly audit: AuditStorage;
  readonly keys: KeyStorage;
  readonly browserSessions: BrowserSessionStorage;
  readonly transfers: TransferStorage;

  /** Resolves when a query works; rejects otherwise. */
  check(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
