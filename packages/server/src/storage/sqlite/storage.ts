import type { Message } from '@llmgine/protocol';
import { StorageOpenError, storageClosed } from '../errors.ts';
import type { LogEvent } from '../log-event.ts';
import type {
  Append,
  AppendOutcome,
  DayUse,
  EventPage,
  IdempotencyRecord,
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
import { toDayUse } from '../usage-day-row.ts';
import { Appends } from './append.ts';
import { Audit } from './audit.ts';
import { BrowserSessions } from './browser-sessions.ts';
import { Counters } from './counters.ts';
import { Creations } from './creations.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { isFull, toApiError } from './errors.ts';
import { Events } from './events.ts';
import { Files } from './files.ts';
import { Idempotency } from './idempotency.ts';
import { Keys } from './keys.ts';
import { type Lock, lockDatabase, StorageInUseError } from './lock.ts';
import { Messages } from './messages.ts';
import { migrate } from './migrations.ts';
import { Purge } from './purge.ts';
import { Requests } from './requests.ts';
import { Reserve } from './reserve.ts';
import { Retention } from './retention.ts';
import { Room } from './room.ts';
import { Runs } from './runs.ts';
import { SessionList } from './session-list.ts';
import { SessionRows } from './session-rows.ts';
import { Sessions } from './sessions.ts';
import { abandonImports, Transfers } from './transfers.ts';
import { UsageDays } from './usage-days.ts';
import { waitingRuns } from './waiting-runs.ts';
import { Writes } from './writes.ts';

export interface SqliteStorageOptions extends DatabaseOptions {
  /** Told what went wrong where nobody waits for an answer; the storage goes on. Default: nobody. */
  readonly onError?: (stage: string, error: unknown) => void;
}

/**
 * Opens the database, and makes it when there is none; its folder has to exist. Brings the schema up to date. Throws
 * `StorageInUseError` when somebody else has it open, `StorageOpenError` when it cannot be opened.
 */
export async function openSqliteStorage(options: SqliteStorageOptions): Promise<SqliteStorage> {
  const { path, onError = () => {} } = options;
  let lock: Lock | null = null;
  let database: Database | null = null;
  try {
    if (path !== ':memory:') lock = lockDatabase(path, (error) => onError('storage pid file', error));
    const reserve = path === ':memory:' ? null : new Reserve(`${path}.reserve`);
    database = openDatabase(options, reserve);
    return await startSqliteStorage(database, { description: `sqlite ${path}`, lock, reserve, onError });
  } catch (error) {
    database?.close();
    lock?.release();
    if (error instanceof StorageInUseError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StorageOpenError(`The data in ${path} cannot be opened: ${reason}`, error);
  }
}

/** On a full disk, opening the data takes the reserve: what is there can be read and deleted then. */
function openDatabase(options: DatabaseOptions, reserve: Reserve | null): Database {
  try {
    return new Database(options);
  } catch (error) {
    if (!isFull(error) || !reserve?.giveUp()) throw error;
    return new Database(options);
  }
}

interface Parts {
  readonly description: string;
  readonly lock: Lock | null;
  readonly reserve: Reserve | null;
  readonly onError: (stage: string, error: unknown) => void;
}

/** A new start on an open database, which the storage owns from then on. */
export async function startSqliteStorage(database: Database, parts: Parts): Promise<SqliteStorage> {
  await database.transactionWhileOpening(() => migrate(database.sql));
  const counters = new Counters(database);
  const room = new Room(database, parts.reserve);
  const boot = room.make(() =>
    database.transaction(() => {
      abandonImports(database);
      return counters.nextBoot();
    }),
  );
  return new SqliteStorage(database, { ...parts, counters, room, boot });
}

/**
 * See `Storage`. Every method is one synchronous piece of work, except that sessions that are created together wait for
 * each other; the other promises are for the storages that are not.
 */
export class SqliteStorage implements Storage {
  readonly description: string;
  readonly boot: number;
  readonly files: Files;
  readonly audit: Audit;
  readonly keys: Keys;
  readonly transfers: Transfers;
  readonly browserSessions: BrowserSessions;
  readonly #database: Database;
  readonly #room: Room;
  readonly #lock: Lock | null;
  readonly #onError: Parts['onError'];
  readonly #counters: Counters;
  readonly #sessions: Sessions;
  readonly #creations: Creations;
  readonly #list: SessionList;
  readonly #purge: Purge;
  readonly #runs: Runs;
  readonly #events: Events;
  readonly #messages: Messages;
  readonly #requests: Requests;
  readonly #retention: Retention;
  readonly #idempotency: Idempotency;
  readonly #usageDays: UsageDays;
  readonly #appends: Appends;
  #closed = false;

  constructor(
    database: Database,
    parts: Parts & { readonly counters: Counters; readonly room: Room; readonly boot: number },
  ) {
    const { counters, boot } = parts;
    this.description = parts.description;
    this.boot = boot;
    this.#room = parts.room;
    this.#lock = parts.lock;
    this.#onError = parts.onError;
    this.#database = database;
    this.#counters = counters;
    const idempotency = new Idempotency(database);
    const days = new UsageDays(database);
    const sessions = new Sessions(database, { counters, idempotency, days });
    const runs = new Runs(database, sessions);
    const events = new Events(database, sessions);
    const requests = new Requests(database, sessions);
    const writes = new Writes(database, { counters, boot, days });
    this.#sessions = sessions;
    this.#list = new SessionList(database, counters);
    this.#purge = new Purge(database);
    this.#runs = runs;
    this.#events = events;
    this.#messages = new Messages(database, { sessions, runs, events, requests });
    this.#requests = requests;
    this.#retention = new Retention(database);
    this.#idempotency = idempotency;
    this.#usageDays = days;
    const run = <Result>(work: () => Result): Result => this.#do(work);
    this.files = new Files(database, { sessions, idempotency, room: parts.room, run });
    this.keys = new Keys(database, { room: parts.room, run });
    this.browserSessions = new BrowserSessions(database, { room: parts.room, run });
    this.audit = new Audit(database, { run, take: (work) => parts.room.take(work) });
    const created = { rows: new SessionRows(database), counters, idempotency, room: parts.room, run };
    this.#creations = new Creations(database, created);
    this.transfers = new Transfers(database, { ...created, sessions });
    this.#appends = new Appends(database, { sessions, writes, idempotency, boot });
  }

  async append(batch: readonly Append[]): Promise<readonly AppendOutcome[]> {
    return this.#do(() => this.#room.take(() => this.#appends.apply(batch)));
  }

  async createSession(
    session: NewSession,
    maxSessions: number,
    idempotency?: IdempotencyRecord,
    maxOfOwner = Number.POSITIVE_INFINITY,
  ): Promise<SessionCreation> {
    return this.#creations.create({ session, maxSessions, maxOfOwner, idempotency });
  }

  async getSession(key: SessionKey): Promise<SessionRow | null> {
    return this.#do(() => this.#sessions.get(key));
  }

  async listSessions(scope: Scope, query: SessionQuery): Promise<SessionPage> {
    return this.#do(() => this.#list.page(scope, query));
  }

  async touchSessions(touches: readonly { readonly key: SessionKey; readonly at: number }[]): Promise<void> {
    this.#do(() => this.#room.take(() => this.#sessions.touch(touches)));
  }

  async deleteSession(key: SessionKey, idempotency?: IdempotencyRecord): Promise<boolean> {
    return this.#do(() => this.#room.make(() => this.#sessions.delete(key, idempotency)));
  }

  async expireSessions(untouchedSince: number, limit: number): Promise<readonly SessionKey[]> {
    return this.#do(() => this.#room.make(() => this.#sessions.expire(untouchedSince, limit)));
  }

  async nextExpiry(): Promise<number | null> {
    return this.#do(() => this.#sessions.nextExpiry());
  }

  async purge(limit: number): Promise<boolean> {
    return this.#do(() => this.#room.make(() => this.#purge.slice(limit)));
  }

  async counts(): Promise<{ readonly sessions: number; readonly engines: number }> {
    return this.#do(() => this.#counters.totals());
  }

  async readEvents(
    key: SessionKey,
    after: number,
    limit: number,
    maxSize?: number,
  ): Promise<EventPage | null> {
    return this.#do(() => this.#events.page(key, after, limit, maxSize));
  }

  async runEvents(
    key: SessionKey,
    runId: string,
    eventTypes: readonly string[],
  ): Promise<readonly LogEvent[]> {
    return this.#do(() => this.#events.ofRun(key, runId, eventTypes));
  }

  async readMessages(key: SessionKey, options: Parameters<Messages['page']>[1]): Promise<MessagePage | null> {
    return this.#do(() => this.#messages.page(key, options));
  }

  async snapshot(key: SessionKey, options: Parameters<Messages['snapshot']>[1]): Promise<Snapshot | null> {
    return this.#do(() => this.#messages.snapshot(key, options));
  }

  async conversation(key: SessionKey, acceptedSeq: number): Promise<readonly Message[]> {
    return this.#do(() => this.#messages.conversation(key, acceptedSeq));
  }

  async getRun(key: SessionKey, runId: string): Promise<RunRow | null> {
    return this.#do(() => this.#runs.get(key, runId));
  }

  async listRuns(
    key: SessionKey,
    options: Parameters<Runs['page']>[1],
  ): Promise<{ readonly runs: readonly RunSummary[]; readonly next: number | null }> {
    return this.#do(() => this.#runs.page(key, options));
  }

  async nextRun(key: SessionKey): Promise<RunRow | null> {
    return this.#do(() => this.#runs.next(key));
  }

  async countUnfinishedRuns(key: SessionKey, before: number): Promise<number> {
    return this.#do(() => this.#runs.countUnfinished(key, before));
  }

  async unfinishedRunIds(key: SessionKey): Promise<readonly string[]> {
    return this.#do(() => this.#runs.unfinishedIds(key));
  }

  async unfinishedRuns(options: Parameters<Runs['unfinished']>[0]): ReturnType<Storage['unfinishedRuns']> {
    return this.#do(() => this.#runs.unfinished(options));
  }

  async waitingRuns(options: Parameters<Storage['waitingRuns']>[0]): ReturnType<Storage['waitingRuns']> {
    return this.#do(() => waitingRuns(this.#database, options));
  }

  async countQueuedRuns(): Promise<number> {
    return this.#do(() => this.#runs.countQueued());
  }

  async sessionsWithQueuedRuns(): Promise<readonly SessionKey[]> {
    return this.#do(() => this.#runs.sessionsWithQueued(this.boot));
  }

  async orphanedRuns(): Promise<readonly RunRow[]> {
    return this.#do(() => this.#runs.orphaned(this.boot));
  }

  async getRequest(key: SessionKey, requestId: string): Promise<RequestRow | null> {
    return this.#do(() => this.#requests.get(key, requestId));
  }

  async listRequests(
    key: SessionKey,
    options: Parameters<Requests['page']>[1],
  ): Promise<{ readonly requests: readonly RequestRow[]; readonly next: number | null }> {
    return this.#do(() => this.#requests.page(key, options));
  }

  async requestsOfRun(key: SessionKey, runId: string): Promise<readonly RequestRow[]> {
    return this.#do(() => this.#requests.ofRun(key, runId));
  }

  async dueRequests(now: number, limit: number): Promise<readonly RequestRow[]> {
    return this.#do(() => this.#requests.due(now, limit));
  }

  async nextRequestExpiry(): Promise<number | null> {
    return this.#do(() => this.#requests.nextExpiry());
  }

  async compactEvents(completedBefore: number, limit: number): Promise<boolean> {
    return this.#do(() => this.#room.make(() => this.#retention.compact(completedBefore, limit)));
  }

  async nextCompaction(): Promise<number | null> {
    return this.#do(() => this.#retention.nextCompaction());
  }

  async pruneEvents(createdBefore: number, limit: number): Promise<boolean> {
    return this.#do(() => this.#room.make(() => this.#retention.prune(createdBefore, limit)));
  }

  async nextPrune(): Promise<number | null> {
    return this.#do(() => this.#retention.nextPrune());
  }

  async usageOn(scope: Scope, day: string): Promise<DayUse | null> {
    return this.#do(() => {
      const row = this.#usageDays.get(scope, day);
      return row ? toDayUse(row) : null;
    });
  }

  async pruneUsage(day: string, limit: number): Promise<boolean> {
    return this.#do(() => this.#room.make(() => this.#usageDays.prune(day, limit)));
  }

  async oldestUsage(): Promise<string | null> {
    return this.#do(() => this.#usageDays.oldest());
  }

  async getIdempotency(scope: Scope, idempotencyKey: string): Promise<IdempotencyRecord | null> {
    return this.#do(() => this.#idempotency.get(scope, idempotencyKey));
  }

  async pruneIdempotency(createdBefore: number, limit: number): Promise<boolean> {
    return this.#do(() => this.#room.make(() => this.#idempotency.prune(createdBefore, limit)));
  }

  async check(): Promise<void> {
    this.#do(() => this.#counters.totals());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      // So that the file alone is the whole data. When it fails, the next start does it.
      this.#database.exec('pragma wal_checkpoint(truncate)');
    } catch (error) {
      this.#onError('storage checkpoint', error);
    }
    this.#database.close();
    this.#lock?.release();
  }

  #do<Result>(work: () => Result): Result {
    if (this.#closed) throw storageClosed();
    try {
      return work();
    } catch (error) {
      throw toApiError(error);
    }
  }
}
