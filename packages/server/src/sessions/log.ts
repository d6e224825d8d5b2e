/**
 * The session log: durable before visible. Appends wait for the next group commit; after it, and only then, the events go
 * to the cluster and from there to the subscribers.
 */
import { ApiError, formatCursor, parseCursor } from '@llmgine/protocol';
import type { Cluster } from '../cluster/types.ts';
import { LogEvent, withReplaces } from '../storage/log-event.ts';
import type { Append, AppendOutcome, EventPage, NewEvent, SessionKey, Storage } from '../storage/types.ts';
import { canonicalJson } from './canonical-json.ts';
import { PendingAppend } from './pending.ts';
import { type EventSink, Subscription } from './subscription.ts';

/**
 * How far apart commits of deltas are at least: what comes meanwhile is merged. The more streams there are, the further,
 * so that many of them cost less each; at most as far as pictures of a film.
 */
const WINDOW_MS = { least: 10, perAppend: 0.12, most: 33 } as const;
/** The most appends in one transaction, so that a commit never holds the event loop for long. */
const MAX_BATCH = 2000;

export interface SessionLogOptions {
  readonly storage: Storage;
  readonly cluster: Cluster;
  /** Told of every commit, for metrics and housekeeping; `streamed` are the messages whose deltas can go later. */
  readonly onCommit?: (appends: number, events: number, streamed: number) => void;
}

type Committed = Extract<AppendOutcome, { readonly ok: true }>;

export interface LogPage {
  readonly events: readonly LogEvent[];
  readonly cursor: string;
  readonly has_more: boolean;
  readonly resync_required: boolean;
}

export interface PublishedEvent {
  readonly event_type: string;
  readonly payload: unknown;
  readonly event_id?: string | undefined;
  /** Like `event_id`, but of another world: the same text in the other place is another id. Used without one only. */
  readonly idempotency_key?: string | undefined;
}

export class SessionLog {
  readonly #storage: Storage;
  readonly #cluster: Cluster;
  readonly #onCommit: NonNullable<SessionLogOptions['onCommit']>;
  #queue: PendingAppend[] = [];
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  #flushing = false;
  #urgent = false;
  /** When the last commit began. */
  #lastFlush = 0;
  #window: number = WINDOW_MS.least;
  /** Sessions of appends that failed: what was committed all the same was told to nobody. */
  readonly #doubtful = new Set<string>();
  #idle: (() => void)[] = [];

  constructor(options: SessionLogOptions) {
    this.#storage = options.storage;
    this.#cluster = options.cluster;
    this.#onCommit = options.onCommit ?? (() => {});
  }

  /**
   * Appends at once; resolves with the outcome after the commit. `onCommitted` runs after the commit and before any
   * subscriber sees the events, so that a reply can precede them. Rejects when the storage fails; nothing was applied then.
   */
  append(append: Append, onCommitted?: (outcome: AppendOutcome) => void): Promise<AppendOutcome> {
    const pending = new PendingAppend(append.session, append);
    pending.add(append.events, append.writes);
    return new Promise((resolve, reject) => {
      pending.onSettled((outcome) => {
        if (outcome instanceof Error) {
          reject(outcome);
          return;
        }
        try {
          onCommitted?.(outcome);
          resolve(outcome);
        } catch (thrown) {
          // Its caller hears of it; the others of the commit have nothing to do with it.
          reject(thrown as Error);
        }
      });
      this.enqueue(pending, true);
    });
  }

  /** Puts an append into the next commit. Not urgent: it may wait for the window. */
  enqueue(pending: PendingAppend, urgent: boolean): void {
    this.#queue.push(pending);
    this.schedule(urgent);
  }

  /** Asks for a commit; called again when an append that waits already has become urgent. */
  schedule(urgent: boolean): void {
    this.#urgent ||= urgent;
    if (this.#flushing || this.#immediate) return;
    const wait = this.#urgent ? 0 : this.#lastFlush + this.#window - performance.now();
    if (wait <= 0) {
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = null;
      this.#immediate = setImmediate(this.#flush);
    } else {
      this.#timer ??= setTimeout(this.#flush, wait);
    }
  }

  /** Resolves when everything enqueued so far is committed or has failed. */
  async flushed(): Promise<void> {
    if (this.#queue.length === 0 && !this.#flushing) return;
    this.schedule(true);
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  readonly #flush = (): void => {
    this.#timer = null;
    this.#immediate = null;
    if (this.#queue.length === 0 || this.#flushing) return;
    this.#flushing = true;
    this.#urgent = false;
    const batch = this.#queue.length > MAX_BATCH ? this.#queue.splice(0, MAX_BATCH) : this.#queue;
    if (batch === this.#queue) this.#queue = [];
    this.#lastFlush = performance.now();
    const { least, perAppend, most } = WINDOW_MS;
    this.#window = Math.min(most, least + perAppend * batch.length);
    void this.#commit(batch);
  };

  async #commit(batch: readonly PendingAppend[]): Promise<void> {
    try {
      const appends = batch.map((pending) => pending.take());
      const outcomes = await this.#storage.append(appends);
      let events = 0;
      let streamed = 0;
      for (let i = 0; i < batch.length; i++) {
        const append = appends[i] as Append;
        const outcome = outcomes[i] as AppendOutcome;
        batch[i]?.settle(outcome);
        if (!outcome.ok || append.events.length === 0) continue;
        events += append.events.length;
        streamed += outcome.replaced?.length ?? 0;
        this.#cluster.publish(append.session.sessionId, committed(append, outcome));
      }
      this.#onCommit(appends.length, events, streamed);
      this.#lookAgain();
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const pending of batch) {
        this.#doubtful.add(pending.sessionId);
        pending.settle(reason);
      }
    } finally {
      this.#flushing = false;
      if (this.#queue.length > 0) {
        this.schedule(false);
      } else {
        const waiting = this.#idle;
        this.#idle = [];
        for (const resolve of waiting) resolve();
      }
    }
  }

  /** The storage answers again: whoever follows a session that is in doubt reads what there is. */
  #lookAgain(): void {
    for (const sessionId of this.#doubtful) this.#cluster.publish(sessionId, []);
    this.#doubtful.clear();
  }

  /** Events after a cursor, or from the beginning of what is kept. Throws `INVALID_CURSOR` and `SESSION_NOT_FOUND`. */
  async page(key: SessionKey, after: string | undefined, limit: number): Promise<LogPage> {
    const position = after === undefined ? null : readCursor(after);
    const page = await this.#storage.readEvents(key, position?.seq ?? 0, limit);
    if (!page) throw new ApiError('SESSION_NOT_FOUND');
    if (position && needsResync(position, page)) {
      return {
        events: [],
        cursor: formatCursor(page.epoch, page.headSeq),
        has_more: false,
        resync_required: true,
      };
    }
    const last = page.events.at(-1)?.seq ?? position?.seq ?? page.floorSeq;
    return {
      events: page.events,
      cursor: formatCursor(page.epoch, last),
      has_more: last < page.headSeq,
      resync_required: false,
    };
  }

  /**
   * Follows the log after a cursor, or from now on. Nothing is delivered before `subscription.start()`, so that the
   * caller can send its reply first; nothing is lost in between. Throws `INVALID_CURSOR` and `SESSION_NOT_FOUND`.
   */
  async subscribe(
    key: SessionKey,
    options: { readonly after: string | undefined; readonly sink: EventSink },
  ): Promise<{ subscription: Subscription; cursor: string; resyncRequired: boolean }> {
    const position = options.after === undefined ? null : readCursor(options.after);
    const subscription = new Subscription(this.#storage, this.#cluster, key, options.sink);
    try {
      const page = await this.#storage.readEvents(key, Number.MAX_SAFE_INTEGER, 1);
      if (!page) throw new ApiError('SESSION_NOT_FOUND');
      const resyncRequired = position !== null && needsResync(position, page);
      const seq = position && !resyncRequired ? position.seq : page.headSeq;
      subscription.position = seq;
      return { subscription, cursor: formatCursor(page.epoch, seq), resyncRequired };
    } catch (error) {
      subscription.close();
      throw error;
    }
  }

  /** Follows the log after an event that is known to be there. */
  follow(key: SessionKey, seq: number, sink: EventSink): Subscription {
    const subscription = new Subscription(this.#storage, this.#cluster, key, sink);
    subscription.position = seq;
    return subscription;
  }

  /**
   * Publishes an event of a client or a back end. The same `event_id`, or `idempotency_key`, gives the cursor of the
   * first. `onPublished` is called before any subscriber sees the event. Throws `SESSION_NOT_FOUND` and
   * `IDEMPOTENCY_MISMATCH`.
   */
  async publish(
    key: SessionKey,
    event: PublishedEvent,
    onPublished?: (published: { cursor: string }) => void,
  ): Promise<{ cursor: string }> {
    const now = Date.now();
    const payload = JSON.stringify(event.payload);
    const eventId = eventIdOf(event);
    let published: { cursor: string } | undefined;
    const append: Append = {
      session: key,
      touchedAt: now,
      events: [
        {
          eventType: event.event_type,
          runId: null,
          payload,
          createdAt: now,
          ...(eventId === undefined ? {} : { eventId }),
        },
      ],
    };
    const outcome = await this.append(append, (committed) => {
      if (!committed.ok) return;
      published = { cursor: formatCursor(committed.epoch, committed.firstSeq) };
      onPublished?.(published);
    });
    if (published) return published;
    if (
      outcome.ok ||
      outcome.reason !== 'event_exists' ||
      outcome.seq === undefined ||
      outcome.epoch === undefined
    ) {
      throw new ApiError('SESSION_NOT_FOUND');
    }
    const first = (await this.#storage.readEvents(key, outcome.seq - 1, 1))?.events[0];
    if (
      // Another one when the event was pruned meanwhile.
      first?.seq === outcome.seq &&
      (first.eventType !== event.event_type ||
        canonicalJson(JSON.parse(first.payload)) !== canonicalJson(event.payload))
    ) {
      throw new ApiError('IDEMPOTENCY_MISMATCH', 'This id was used before with another event');
    }
    published = { cursor: formatCursor(outcome.epoch, outcome.seq) };
    onPublished?.(published);
    return published;
  }
}

/** The events as the storage has them: what is seen now is what is read later. */
function committed(append: Append, { epoch, firstSeq, replaced = [] }: Committed): LogEvent[] {
  return append.events.map(({ eventType, runId, payload, createdAt }, i) => {
    const deltas = replaced.find(({ eventIndex }) => eventIndex === i);
    const stored = deltas ? withReplaces(payload, deltas) : payload;
    return new LogEvent(epoch, firstSeq + i, eventType, runId, stored, createdAt);
  });
}

/** A reader at this place misses something, or was never there: it cannot go on from the log. */
function needsResync(position: { epoch: string; seq: number }, page: EventPage): boolean {
  return position.epoch !== page.epoch || position.seq > page.headSeq || position.seq < page.floorSeq;
}

const KEY_PREFIX = 'key:';
const ID_PREFIX = 'id:';

/** The id that the storage keeps: a client's own as it is, unless it looks like one that was made here. */
function eventIdOf({ event_id: id, idempotency_key: key }: PublishedEvent): string | undefined {
  if (id === undefined) return key === undefined ? undefined : KEY_PREFIX + key;
  return id.startsWith(KEY_PREFIX) || id.startsWith(ID_PREFIX) ? ID_PREFIX + id : id;
}

function readCursor(cursor: string): { epoch: string; seq: number } {
  const position = parseCursor(cursor);
  if (!position) throw new ApiError('INVALID_CURSOR');
  return position;
}

/** One event with its payload serialised, as the log takes it. Throws a `TypeError` for what is no JSON object. */
export function newEvent(
  eventType: string,
  runId: string | null,
  payload: unknown,
  createdAt = Date.now(),
): NewEvent {
  const text: string | undefined = JSON.stringify(payload);
  // An object can write itself as something else, with `toJSON`.
  if (!text?.startsWith('{')) throw new TypeError(`The payload of ${eventType} must be a JSON object`);
  return { eventType, runId, payload: text, createdAt };
}
