import { setTimeout as delay } from 'node:timers/promises';
import type { Message } from '@llmgine/protocol';
import { sql } from 'kysely';
import { StorageOpenError, storageClosed } from '../errors.ts';
import type { LogEvent } from '../log-event.ts';
import type {
  Append,
  AppendOutcome,
  DayUse,
  EventPage,
  IdempotencyRecord,
  Lease,
  MessagePage,
  NewSession,
  RequestRow,
  RunRow,
  RunSummary,
  Scope,
  SessionCreation,
  SessionKey,
  SessionPage,
  SessionQuery,
  SessionRow,
  Snapshot,
  Storage,
} from '../types.ts';
import { Appends } from './append.ts';
import { Audit } from './audit.ts';
import { within } from './bounded.ts';
import { BrowserSessions } from './browser-sessions.ts';
import { Counters } from './counters.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { isTransient, openReason, toApiError } from './errors.ts';
import { Events } from './events.ts';
import { Files, type FilesParts } from './files.ts';
import { Idempotency } from './idempotency.ts';
import { Keys } from './keys.ts';
import { ProcessLease } from './lease.ts';
import { Messages } from './messages.ts';
import { migrate } from './migrations.ts';
import { Purge } from './purge.ts';
import { Requests } from './requests.ts';
import { Retention } from './retention.ts';
import { Runs } from './runs.ts';
import { SessionList } from './session-list.ts';
import { Sessions } from './sessions.ts';
import { Transfers } from './transfers.ts';
import { oldestDay, pruneDays, readDay } from './usage-days.ts';
import { waitingRuns } from './waiting-runs.ts';

/** Making an index of a large table is no query like others. */
const MIGRATION_TIMEOUT_MS = 3_600_000;
/** Connections for the appends, which are one at a time, and for the lease. */
const RESERVED = 2;
/** One holds the lock, the other works. */
const MIGRATION_POOL = 2;
/** A database that answers, answers this fast. */
const CHECK_TIMEOUT_MS = 2000;
/** Of what may be done twice, within some 300 ms: connections that are cut come in groups. */
const MAX_ATTEMPTS = 5;
const RETRY_MS = 10;
/** A database that does not answer keeps no process from ending: the lease runs out by itself. */
const MAX_CLOSE_MS = 3000;

export interface PostgresStorageOptions extends Omit<DatabaseOptions, 'onError'> {
  /** Milliseconds after which the runs of a process that is gone are taken over. */
  readonly leaseMs: number;
  /** Told what went wrong where nobody waits for an answer; the storage goes on. Default: nobody. */
  readonly onError?: (stage: string, error: unknown) => void;
}

/** Brings the schema up to date and takes a boot number. Throws `StorageOpenError` when it cannot be opened. */
export async function openPostgresStorage(options: PostgresStorageOptions): Promise<PostgresStorage> {
  const { onError = () => {} } = options;
  const description = describe(options.url);
  // Callers that wait for a locked row may hold every connection that they can have; runs still get on, and keep their owner.
  const reserved = options.pool > RESERVED ? RESERVED : 1;
  const own = new Database({ ...options, pool: reserved, onError });
  const database = new Database({ ...options, pool: options.pool - reserved, onError });
  try {
    await bringUpToDate({ ...options, onError });
    const lease = await ProcessLease.start(own, options.leaseMs);
    return new PostgresStorage(database, own, lease, { description, onError });
  } catch (error) {
    for (const one of [database, own]) {
      await one.close().catch((failure: unknown) => onError('storage close', failure));
    }
    throw new StorageOpenError(`The data in ${description} cannot be opened: ${openReason(error)}`, error);
  }
}

export async function bringUpToDate(options: DatabaseOptions): Promise<void> {
  const database = new Database({ ...options, pool: MIGRATION_POOL, queryMs: MIGRATION_TIMEOUT_MS });
  try {
    await migrate(database.sql);
  } finally {
    await database.close();
  }
}

/** Where the data is, without who reads it. */
export function describe(url: string): string {
  // What the parser throws holds all of it.
  const parsed = URL.parse(url);
  if (!parsed) throw new StorageOpenError('The URL of the database is not valid', undefined);
  return `postgres ${parsed.host}${parsed.pathname}`;
}

interface Parts {
  readonly description: string;
  readonly onError: (stage: string, error: unknown) => void;
}

/** See `Storage`. Several processes may share one database. */
export class PostgresStorage implements Storage {
  readonly description: string;
  readonly lease: Lease;
  boot: number;
  readonly files: Files;
  readonly audit: Audit;
  readonly keys: Keys;
  readonly transfers: Transfers;
  readonly browserSessions: BrowserSessions;
  readonly #database: Database;
  /** For what everything else depends on. */
  readonly #own: Database;
  readonly #process: ProcessLease;
  readonly #onError: Parts['onError'];
  readonly #counters: Counters;
  readonly #sessions: Sessions;
  readonly #list: SessionList;
  readonly #purge: Purge;
  readonly #retention: Retention;
  readonly #runs: Runs;
  readonly #requests: Requests;
  readonly #events: Events;
  readonly #messages: Messages;
  readonly #idempotency: Idempotency;
  readonly #appends: Appends;
  #closed: Promise<void> | null = null;

  constructor(database: Database, own: Database, lease: ProcessLease, parts: Parts) {
    this.description = parts.description;
    this.boot = lease.boot;
    this.lease = { ttlMs: lease.ttlMs, renew: () => this.#renew() };
    this.#database = database;
    this.#own = own;
    this.#process = lease;
    this.#onError = parts.onError;
    this.#counters = new Counters(database.sql);
    this.#sessions = new Sessions(database);
    this.#list = new SessionList(database.sql, this.#counters);
    this.#purge = new Purge(database);
    this.#retention = new Retention(database);
    this.#runs = new Runs(database.sql);
    this.#requests = new Requests(database.sql);
    this.#events = new Events(database.sql);
    this.#messages = new Messages(database);
    this.#idempotency = new Idempotency(database.sql);
    const work: FilesParts = { run: (one) => this.#do(one), again: (one) => this.#again(one) };
    this.files = new Files(database, work);
    this.keys = new Keys(database, work);
    this.transfers = new Transfers(database, work);
    this.browserSessions = new BrowserSessions(database, {
      run: (work) => this.#do(work),
      again: (work) => this.#again(work),
    });
    this.audit = new Audit(database, { again: (work) => this.#again(work) });
    this.#appends = new Appends(own);
  }

  async append(batch: readonly Append[]): Promise<readonly AppendOutcome[]> {
    return this.#do(() => this.#appends.apply(batch, this.boot));
  }

  async createSession(
    session: NewSession,
    maxSessions: number,
    idempotency?: IdempotencyRecord,
    maxOfOwner?: number,
  ): Promise<SessionCreation> {
    return this.#do(() => this.#sessions.create(session, maxSessions, idempotency, maxOfOwner));
  }

  async getSession(key: SessionKey): Promise<SessionRow | null> {
    return this.#again(() => this.#sessions.get(key));
  }

  async listSessions(scope: Scope, query: SessionQuery): Promise<SessionPage> {
    return this.#again(() => this.#list.page(scope, query));
  }

  async touchSessions(touches: readonly { readonly key: SessionKey; readonly at: number }[]): Promise<void> {
    return this.#again(() => this.#sessions.touch(touches));
  }

  async deleteSession(key: SessionKey, idempotency?: IdempotencyRecord): Promise<boolean> {
    return this.#do(() => this.#sessions.delete(key, idempotency));
  }

  async expireSessions(untouchedSince: number, limit: number): Promise<readonly SessionKey[]> {
    return this.#do(() => this.#sessions.expire(untouchedSince, limit));
  }

  async nextExpiry(): Promise<number | null> {
    return this.#again(() => this.#sessions.nextExpiry());
  }

  async purge(limit: number): Promise<boolean> {
    return this.#do(() => this.#purge.slice(limit));
  }

  async counts(): Promise<{ readonly sessions: number; readonly engines: number }> {
    return this.#again(() => this.#counters.totals());
  }

  async readEvents(
    key: SessionKey,
    after: number,
    limit: number,
    maxSize?: number,
  ): Promise<EventPage | null> {
    return this.#again(() => this.#events.page(key, after, limit, maxSize));
  }

  async runEvents(
    key: SessionKey,
    runId: string,
    eventTypes: readonly string[],
  ): Promise<readonly LogEvent[]> {
    return this.#again(() => this.#events.ofRun(key, runId, eventTypes));
  }

  async readMessages(key: SessionKey, options: Parameters<Messages['page']>[1]): Promise<MessagePage | null> {
    return this.#again(() => this.#messages.page(key, options));
  }

  async snapshot(key: SessionKey, options: Parameters<Messages['snapshot']>[1]): Promise<Snapshot | null> {
    return this.#again(() => this.#messages.snapshot(key, options));
  }

  async conversation(key: SessionKey, acceptedSeq: number): Promise<readonly Message[]> {
    return this.#again(() => this.#messages.conversation(key, acceptedSeq));
  }

  async getRun(key: SessionKey, runId: string): Promise<RunRow | null> {
    return this.#again(() => this.#runs.get(key, runId));
  }

  async listRuns(
    key: SessionKey,
    options: Parameters<Runs['page']>[1],
  ): Promise<{ readonly runs: readonly RunSummary[]; readonly next: number | null }> {
    return this.#again(() => this.#runs.page(key, options));
  }

  async nextRun(key: SessionKey): Promise<RunRow | null> {
    return this.#again(() => this.#runs.next(key));
  }

  async countUnfinishedRuns(key: SessionKey, before: number): Promise<number> {
    return this.#again(() => this.#runs.countUnfinished(key, before));
  }

  async unfinishedRunIds(key: SessionKey): Promise<readonly string[]> {
    return this.#again(() => this.#runs.unfinishedIds(key));
  }

  async unfinishedRuns(options: Parameters<Runs['unfinished']>[0]): ReturnType<Storage['unfinishedRuns']> {
    return this.#again(() => this.#runs.unfinished(options));
  }

  async waitingRuns(options: Parameters<Storage['waitingRuns']>[0]): ReturnType<Storage['waitingRuns']> {
    return this.#again(() => waitingRuns(this.#database.sql, options));
  }

  async countQueuedRuns(): Promise<number> {
    return this.#again(() => this.#runs.countQueued());
  }

  async sessionsWithQueuedRuns(): Promise<readonly SessionKey[]> {
    return this.#again(() => this.#runs.sessionsWithQueued(this.boot));
  }

  async orphanedRuns(): Promise<readonly RunRow[]> {
    return this.#again(() => this.#runs.orphaned());
  }

  async getRequest(key: SessionKey, requestId: string): Promise<RequestRow | null> {
    return this.#again(() => this.#requests.get(key, requestId));
  }

  async listRequests(
    key: SessionKey,
    options: Parameters<Requests['page']>[1],
  ): Promise<{ readonly requests: readonly RequestRow[]; readonly next: number | null }> {
    return this.#again(() => this.#requests.page(key, options));
  }

  async requestsOfRun(key: SessionKey, runId: string): Promise<readonly RequestRow[]> {
    return this.#again(() => this.#requests.ofRun(key, runId));
  }

  async dueRequests(now: number, limit: number): Promise<readonly RequestRow[]> {
    return this.#again(() => this.#requests.due(now, limit));
  }

  async nextRequestExpiry(): Promise<number | null> {
    return this.#again(() => this.#requests.nextExpiry());
  }

  async compactEvents(completedBefore: number, limit: number): Promise<boolean> {
    return this.#do(() => this.#retention.compact(completedBefore, limit));
  }

  async nextCompaction(): Promise<number | null> {
    return this.#again(() => this.#retention.nextCompaction());
  }

  async pruneEvents(createdBefore: number, limit: number): Promise<boolean> {
    return this.#do(() => this.#retention.prune(createdBefore, limit));
  }

  async nextPrune(): Promise<number | null> {
    return this.#again(() => this.#retention.nextPrune());
  }

  async usageOn(scope: Scope, day: string): Promise<DayUse | null> {
    return this.#again(() => readDay(this.#database.sql, scope, day));
  }

  async pruneUsage(day: string, limit: number): Promise<boolean> {
    return this.#do(() => pruneDays(this.#database.sql, day, limit));
  }

  async oldestUsage(): Promise<string | null> {
    return this.#again(() => oldestDay(this.#database.sql));
  }

  async getIdempotency(scope: Scope, idempotencyKey: string): Promise<IdempotencyRecord | null> {
    return this.#again(() => this.#idempotency.get(scope, idempotencyKey));
  }

  async pruneIdempotency(createdBefore: number, limit: number): Promise<boolean> {
    return this.#do(() => this.#idempotency.prune(createdBefore, limit));
  }

  async check(): Promise<void> {
    await this.#do(() => within(CHECK_TIMEOUT_MS, sql`select 1`.execute(this.#database.sql)));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const bound = Math.min(this.#database.timeoutMs, MAX_CLOSE_MS);
    await within(bound, this.#process.end()).catch((error: unknown) => this.#onError('storage lease', error));
    const closed = Promise.all([this.#database.close(), this.#own.close()]);
    await within(bound, closed).catch((error: unknown) => this.#onError('storage close', error));
  }

  async #renew(): Promise<boolean> {
    const kept = await this.#do(() => this.#process.renew());
    this.boot = this.#process.boot;
    return kept;
  }

  async #do<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw storageClosed();
    try {
      return await work();
    } catch (error) {
      throw toApiError(error);
    }
  }

  /** For what may be done twice: a connection that died meanwhile is nothing that anybody has to see. */
  #again<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#do(async () => {
      const giveUpAt = performance.now() + this.#database.timeoutMs;
      for (let attempt = 1; ; attempt++) {
        try {
          return await work();
        } catch (error) {
          const wait = RETRY_MS * 2 ** attempt;
          const isLast = attempt === MAX_ATTEMPTS || performance.now() + wait >= giveUpAt;
          if (isLast || !isTransient(error) || this.#closed) throw error;
          await delay(wait);
        }
      }
    });
  }
}
