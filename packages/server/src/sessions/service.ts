/** SessionService: the life of sessions, from create to expiry. */
import {
  ApiError,
  type CreateSessionBody,
  formatCursor,
  type History,
  type JsonObject,
  type Message,
  type Run,
  type SessionDetail,
  type SessionList,
  type SessionStatus,
  type SessionSummary,
} from '@llmgine/protocol';
import { nanoid } from 'nanoid';
import type { Cluster } from '../cluster/types.ts';
import type { Principal } from '../security/principal.ts';
import type {
  EngineRow,
  IdempotencyRecord,
  NewEvent,
  NewSession,
  SessionCreation,
  SessionKey,
  SessionRoom,
  SessionRow,
  Storage,
} from '../storage/types.ts';
import { Expiry } from './expiry.ts';
import { Housekeeping } from './housekeeping.ts';
import { Idempotency } from './idempotency.ts';
import { decodePageCursor, encodePageCursor } from './page-cursor.ts';
import { partialMessage } from './partial-message.ts';
import { toRequest } from './request-view.ts';
import { toRun } from './run-view.ts';
import { newSessionId } from './session-id.ts';
import { SteadyClock } from './steady-clock.ts';
import { Touches } from './touches.ts';
import { toForkOrigin } from './transfer/fork-origin.ts';
import { toSessionUsage } from './usage-view.ts';

/** What makes the engine that a session is created with. */
export interface SessionEngines {
  create(engineType: string, config: JsonObject): Promise<EngineRow>;
  /** What the log of the session says of it. */
  linkedEvent(engine: EngineRow): NewEvent;
}

export interface SessionServiceOptions {
  readonly storage: Storage;
  readonly cluster: Cluster;
  readonly maxSessions: number;
  /** Of one caller; default: as many as fit. */
  readonly maxSessionsPerCaller?: number | undefined;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Milliseconds after which the deltas of a completed message go. */
  readonly compactionMs: number;
  /** Milliseconds that events are kept; 0 = as long as their session. */
  readonly retentionMs: number;
  readonly report: (stage: string, error: unknown) => void;
  readonly engines: SessionEngines;
  /** What deadlines are compared with. */
  readonly clock?: SteadyClock;
}

export interface SessionCallbacks {
  onCreated?(session: SessionRow): void;
  onClosed?(key: SessionKey, reason: 'deleted' | 'expired'): void;
}

/** Seconds a client should wait before it tries again to create a session when there is no room. */
const FULL_RETRY_AFTER = 30;

export function keyOf(principal: Principal, sessionId: string): SessionKey {
  return { tenantId: principal.tenantId, ownerId: principal.id, sessionId };
}

export class SessionService {
  readonly #options: SessionServiceOptions;
  readonly #storage: Storage;
  readonly #touches: Touches;
  readonly #clock: SteadyClock;
  readonly #expiry: Expiry;
  readonly #housekeeping: Housekeeping;
  /** Calls that may be repeated with an `Idempotency-Key`. */
  readonly idempotency: Idempotency;
  readonly #callbacks: SessionCallbacks[] = [];

  constructor(options: SessionServiceOptions) {
    this.#options = options;
    this.#storage = options.storage;
    this.#touches = new Touches(options.storage, options.report);
    this.#clock = options.clock ?? new SteadyClock();
    this.#expiry = new Expiry({
      storage: options.storage,
      clock: this.#clock,
      timeoutMs: options.timeoutMs,
      flushTouches: () => this.#touches.flush(),
      onExpired: (key) => this.#closed(key, 'expired'),
      report: options.report,
    });
    this.#housekeeping = new Housekeeping({ ...options, clock: this.#clock });
    this.idempotency = new Idempotency(options.storage, () => this.#housekeeping.noticeAnswer());
  }

  async start(): Promise<void> {
    await this.#expiry.start();
    this.#housekeeping.start();
  }

  /** Stops what watches over the sessions and writes what is pending. */
  async stop(): Promise<void> {
    this.#expiry.stop();
    await Promise.all([this.#expiry.purged(), this.#housekeeping.stop()]);
    await this.#touches.stop();
  }

  /** Looks what expires and what can be removed next, of all processes. Rejects when the storage fails. */
  async look(): Promise<void> {
    // A process that died in the middle of an import has nobody else who removes what has come of it.
    this.#expiry.purge();
    await this.#expiry.look();
    await this.#housekeeping.look();
  }

  get monitorRunning(): boolean {
    return this.#expiry.running;
  }

  onEvent(callbacks: SessionCallbacks): void {
    this.#callbacks.push(callbacks);
  }

  /**
   * `keep` makes the record of what the caller is answered. Throws `RESOURCE_LIMIT_EXCEEDED` when there is no room,
   * `IDEMPOTENCY_IN_PROGRESS` when the record is there already, and what linking the engine throws.
   */
  async create(
    principal: Principal,
    body: CreateSessionBody = {},
    keep?: (sessionId: string) => IdempotencyRecord | undefined,
  ): Promise<SessionRow> {
    const engine =
      body.engine_type === undefined
        ? null
        : await this.#options.engines.create(body.engine_type, body.engine_config ?? {});
    if (!engine && body.engine_config) {
      throw new ApiError('VALIDATION_ERROR', 'engine_config needs an engine_type');
    }
    const session: NewSession = {
      ...keyOf(principal, newSessionId()),
      epoch: nanoid(12),
      name: body.name ?? null,
      metadata: body.metadata ?? {},
      createdAt: Date.now(),
      engine,
      events: engine ? [this.#options.engines.linkedEvent(engine)] : [],
    };
    const record = keep?.(session.sessionId);
    return this.adopt(session, 0, ({ maxSessions, maxOfOwner }) =>
      this.#storage.createSession(session, maxSessions, record, maxOfOwner),
    );
  }

  /**
   * Takes in a session that `insert` makes, with the events of it behind `headSeq`. It is asked again when there was no
   * room and there may be some now. Throws `RESOURCE_LIMIT_EXCEEDED`, `IDEMPOTENCY_IN_PROGRESS`, and what `insert` throws.
   */
  async adopt(
    session: NewSession,
    headSeq: number,
    insert: (room: SessionRoom) => Promise<SessionCreation>,
  ): Promise<SessionRow> {
    const { maxSessions, maxSessionsPerCaller } = this.#options;
    const room = { maxSessions, maxOfOwner: maxSessionsPerCaller };
    let inserted = await insert(room);
    if (inserted === 'full' || inserted === 'owner_full') {
      // Sessions that are past their deadline do not count, even when their timer has not fired yet.
      await this.#expiry.sweep();
      inserted = await insert(room);
    }
    if (inserted === 'idempotency_exists') throw new ApiError('IDEMPOTENCY_IN_PROGRESS');
    if (inserted === 'full') throw full(`The server keeps at most ${maxSessions} sessions`);
    if (inserted === 'owner_full') throw full(`A caller has at most ${maxSessionsPerCaller} sessions`);
    this.#expiry.notice(session.createdAt);
    const { events, ...created } = session;
    const row: SessionRow = {
      ...created,
      headSeq: headSeq + events.length,
      lastInteractionAt: session.createdAt,
      unfinishedRuns: 0,
      usage: null,
      steps: 0,
      elapsedMs: 0,
      forkedFrom: session.forkedFrom ?? null,
    };
    this.#tell((callbacks) => callbacks.onCreated?.(row));
    return row;
  }

  /** Throws `SESSION_NOT_FOUND`, also for a session of somebody else. Does not touch it. */
  async get(principal: Principal, sessionId: string): Promise<SessionRow> {
    const row = await this.find(keyOf(principal, sessionId));
    if (!row) throw new ApiError('SESSION_NOT_FOUND');
    return row;
  }

  async find(key: SessionKey): Promise<SessionRow | null> {
    const stored = await this.#storage.getSession(key);
    if (!stored) return null;
    const row = this.#touches.apply(stored);
    return this.#expired(row) ? null : row;
  }

  #expired(row: SessionRow): boolean {
    const { timeoutMs } = this.#options;
    return timeoutMs > 0 && row.unfinishedRuns === 0 && row.lastInteractionAt + timeoutMs < this.#clock.now();
  }

  async list(
    principal: Principal,
    query: {
      readonly limit: number;
      readonly cursor?: string | undefined;
      readonly offset?: number | undefined;
      readonly status?: SessionStatus | undefined;
      readonly metadata?: Readonly<Record<string, string>> | undefined;
    },
  ): Promise<SessionList> {
    const before = decodePageCursor('sessions', query.cursor);
    await this.#touches.flush();
    const { timeoutMs, idleTimeoutMs } = this.#options;
    const page = await this.#storage.listSessions(
      { tenantId: principal.tenantId, ownerId: principal.id },
      {
        limit: query.limit,
        idleBefore: Date.now() - idleTimeoutMs,
        expiredBefore: timeoutMs > 0 ? this.#clock.now() - timeoutMs : null,
        ...(before === undefined ? {} : { before }),
        ...(query.offset === undefined ? {} : { offset: query.offset }),
        ...(query.status === undefined ? {} : { status: query.status }),
        ...(query.metadata === undefined ? {} : { metadata: query.metadata }),
      },
    );
    return {
      sessions: page.sessions.map((row) => this.summary(row)),
      total: page.total,
      ...(page.totalExact ? {} : { total_exact: false }),
      next: page.next === null ? null : encodePageCursor('sessions', page.next),
    };
  }

  /** The session is in use. Costs no timer and no write of its own. */
  touch(key: SessionKey): void {
    this.#touches.touch(key);
  }

  /** `record` is what the caller is answered. Throws `SESSION_NOT_FOUND`. */
  async delete(principal: Principal, sessionId: string, record?: IdempotencyRecord): Promise<void> {
    const { tenantId, ownerId } = await this.get(principal, sessionId);
    const key = { tenantId, ownerId, sessionId };
    if (!(await this.#deleteRow(key, record))) throw new ApiError('SESSION_NOT_FOUND');
    this.#closed(key, 'deleted');
    this.#expiry.purge();
  }

  /** When the answer to the commit is lost, the session may be gone all the same, and nobody else would close its sockets. */
  async #deleteRow(key: SessionKey, record: IdempotencyRecord | undefined): Promise<boolean> {
    try {
      return await this.#storage.deleteSession(key, record);
    } catch (error) {
      const isThere = await this.#storage.getSession(key).then(Boolean, () => true);
      if (isThere) throw error;
      return true;
    }
  }

  /** A run has ended, so the session may expire from now on. */
  runEnded(at: number): void {
    this.#expiry.notice(at);
    this.#housekeeping.noticeRunEnd();
  }

  /** So many events were appended, among them the ends of so many messages that have deltas. */
  eventsAppended(events: number, streamed: number): void {
    this.#housekeeping.noticeEvents(events, streamed);
  }

  /** Something that was deleted, or came to nothing, may be removed. */
  purge(): void {
    this.#expiry.purge();
  }

  /** A file was begun in a session. */
  fileBegun(): void {
    this.#housekeeping.noticeFile();
  }

  /** A file of a session was removed. */
  fileRemoved(): void {
    this.#housekeeping.noticeRemovedFile();
  }

  #closed(key: SessionKey, reason: 'deleted' | 'expired'): void {
    this.#options.cluster.announce({ kind: 'session_closed', sessionId: key.sessionId, reason });
    this.#tell((callbacks) => callbacks.onClosed?.(key, reason));
  }

  #tell(call: (callbacks: SessionCallbacks) => void): void {
    for (const callbacks of this.#callbacks) {
      try {
        call(callbacks);
      } catch (error) {
        this.#options.report('session callback', error);
      }
    }
  }

  status(row: SessionRow): SessionStatus {
    if (row.engine?.status === 'failed') return 'failed';
    const idle = row.unfinishedRuns === 0 && row.lastInteractionAt < Date.now() - this.#options.idleTimeoutMs;
    return idle ? 'idle' : 'running';
  }

  summary(row: SessionRow): SessionSummary {
    return {
      session_id: row.sessionId,
      status: this.status(row),
      created_at: new Date(row.createdAt).toISOString(),
      last_interaction_at: new Date(row.lastInteractionAt).toISOString(),
      ...(row.steps === 0 && row.usage === null ? {} : { usage: toSessionUsage(row) }),
      ...(row.name === null ? {} : { name: row.name }),
      ...(Object.keys(row.metadata).length === 0 ? {} : { metadata: row.metadata }),
    };
  }

  detail(row: SessionRow): SessionDetail {
    return {
      ...this.summary(row),
      linked_engine: row.engine?.engineId ?? null,
      ...(row.forkedFrom === null ? {} : { forked_from: toForkOrigin(row.forkedFrom) }),
    };
  }

  /** A page of the conversation, newest page first, oldest message first. */
  async messages(
    key: SessionKey,
    options: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<{ messages: Message[]; next: string | null; cursor: string }> {
    const page = await this.#storage.readMessages(key, pageOptions(options));
    if (!page) throw new ApiError('SESSION_NOT_FOUND');
    return {
      messages: [...page.messages],
      next: page.next === null ? null : encodePageCursor('messages', page.next),
      cursor: formatCursor(page.epoch, page.headSeq),
    };
  }

  /** The conversation with what is going on in it, as of one moment. */
  async history(
    key: SessionKey,
    options: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<History> {
    const snapshot = await this.#storage.snapshot(key, pageOptions(options));
    if (!snapshot) throw new ApiError('SESSION_NOT_FOUND');
    return {
      messages: [...snapshot.messages],
      next: snapshot.next === null ? null : encodePageCursor('messages', snapshot.next),
      cursor: formatCursor(snapshot.epoch, snapshot.headSeq),
      runs: snapshot.runs.map((run): Run => toRun(run, snapshot.epoch)),
      partial_message: partialMessage(snapshot.openEvents),
      pending_requests: snapshot.pendingRequests.map(toRequest),
    };
  }
}

function full(message: string): ApiError {
  return new ApiError('RESOURCE_LIMIT_EXCEEDED', message, { retryAfter: FULL_RETRY_AFTER });
}

function pageOptions(options: { readonly limit: number; readonly before?: string | undefined }): {
  limit: number;
  before?: number;
} {
  const before = decodePageCursor('messages', options.before);
  return { limit: options.limit, ...(before === undefined ? {} : { before }) };
}
