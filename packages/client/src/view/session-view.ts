/** A conversation as it is now, and tells when it is another. */
import { parseCursor, type SessionEvent } from '@llmgine/protocol/wire';
import type { SessionState } from '../connection/types.ts';
import { reduceEvent } from './reduce.ts';
import { scheduleFrame } from './schedule.ts';
import { emptyState, stateOf, withOlder } from './state.ts';
import type { SessionLike, ViewEngine, ViewSnapshot, ViewState } from './types.ts';

export interface SessionViewOptions {
  /** Messages that are loaded at once, 1 to 1000; default 100. */
  readonly pageSize?: number;
  /** What engine is linked at first; the events tell the rest. */
  readonly loadEngine?: () => Promise<ViewEngine | null>;
  /** When the next snapshot is made and told; default: with the next frame of the screen, elsewhere at once. */
  readonly schedule?: (publish: () => void) => void;
}

/** Events that come while a history is loading; with more, it is loaded once more instead. */
const MAX_WAITING = 10_000;

/**
 * Loads the history of a session and follows its events from there. Whatever the connection does, each message is there
 * once and none is missing: an event that is known is passed over, and where one is missing the history is loaded anew.
 * The session stays its owner's: closing the view leaves it open.
 */
export class SessionView {
  readonly #session: SessionLike;
  readonly #pageSize: number;
  readonly #options: SessionViewOptions;
  readonly #listeners = new Set<() => void>();
  readonly #offs: (() => void)[] = [];
  #state: ViewState;
  #snapshot: ViewSnapshot;
  #status: ViewSnapshot['status'] = 'loading';
  #error: unknown = null;
  /** Events that wait for the history that is loading; null when none is. */
  #waiting: SessionEvent[] | null = null;
  #older: Promise<void> | null = null;
  #scheduled = false;
  #closed = false;

  constructor(session: SessionLike, options: SessionViewOptions = {}) {
    this.#session = session;
    this.#options = options;
    this.#pageSize = options.pageSize ?? 100;
    this.#state = emptyState(session.id);
    this.#snapshot = this.#make();
    // Listening comes first: what happens while the history is on its way is not missed.
    this.#offs.push(
      session.on('*', (event) => this.#onEvent(event)),
      session.on('resync', () => this.reload()),
      session.onState((state) => this.#onState(state)),
    );
    // Why it cannot be opened is in its state, and in what the history says.
    session.connect().catch(() => {});
    void this.#load();
    void this.#loadEngine();
  }

  /** The same object until something changes. */
  snapshot = (): ViewSnapshot => this.#snapshot;

  /** Calls back after each change; gives back how to stop it. */
  subscribe = (listener: () => void): (() => void) => {
    // Each subscription is one of its own, whatever function it was given.
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  };

  /** One page more of what was before; nothing happens when there is none. Joins a call that is under way. */
  loadOlder(): Promise<void> {
    this.#older ??= this.#loadOlder().finally(() => {
      this.#older = null;
    });
    return this.#older;
  }

  /** Loads the history anew, without taking away what is shown. */
  reload(): void {
    if (this.#waiting === null && !this.#closed) void this.#load();
  }

  /** Stops following. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const off of this.#offs) off();
    this.#listeners.clear();
  }

  async #load(waiting: SessionEvent[] = []): Promise<void> {
    this.#waiting = waiting;
    try {
      const history = await this.#session.history({ limit: this.#pageSize });
      if (this.#closed) return;
      this.#state = stateOf(this.#state, history);
      this.#status = 'ready';
      this.#error = null;
    } catch (error) {
      this.#error = error;
      // What is shown stays; it is old, and the state of the connection says so.
      if (this.#status === 'loading') this.#status = 'error';
    }
    this.#waiting = null;
    this.#changed();
    if (this.#error !== null) return;
    // What was told before it was asked, and is of another log, is of one that is gone: no history will have it.
    const { epoch } = this.#state;
    for (const event of waiting) if (parseCursor(event.cursor)?.epoch === epoch) this.#onEvent(event);
  }

  async #loadOlder(): Promise<void> {
    const { next, epoch } = this.#state;
    if (next === null) return;
    const page = await this.#session.history({ limit: this.#pageSize, before: next });
    // The list may have been made anew meanwhile, and go on elsewhere.
    if (this.#closed || next !== this.#state.next || epoch !== this.#state.epoch) return;
    this.#state = withOlder(this.#state, page);
    this.#changed();
  }

  async #loadEngine(): Promise<void> {
    const engine = await this.#options.loadEngine?.().catch(() => undefined);
    // What an event said is newer.
    if (engine === undefined || this.#state.engine !== undefined || this.#closed) return;
    this.#state = { ...this.#state, engine };
    this.#changed();
  }

  #onEvent(event: SessionEvent): void {
    if (this.#closed) return;
    if (this.#waiting !== null) {
      // The last one shows that events are missing before it.
      if (this.#waiting.length >= MAX_WAITING) this.#waiting.length = 0;
      this.#waiting.push(event);
      return;
    }
    if (this.#status === 'error') return;
    if (!follows(this.#state, event)) {
      void this.#load([event]);
      return;
    }
    const state = reduceEvent(this.#state, event);
    if (state === this.#state) return;
    this.#state = state;
    this.#changed();
  }

  #onState(state: SessionState): void {
    if (state === 'open' && this.#error !== null) this.reload();
    this.#changed();
  }

  #changed(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    (this.#options.schedule ?? scheduleFrame)(() => this.#publish());
  }

  #publish(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    this.#snapshot = this.#make();
    for (const listener of this.#listeners) listener();
  }

  #make(): ViewSnapshot {
    const { messages, runs, requests, engine, custom, next } = this.#state;
    return {
      status: this.#status,
      connection: this.#session.state,
      messages,
      runs,
      requests,
      engine,
      custom,
      hasOlder: next !== null,
      error: this.#error,
    };
  }
}

/** Whether nothing is missing before an event, but for deltas that are in the message that stands for them. */
function follows({ epoch, seq }: ViewState, event: SessionEvent): boolean {
  if (parseCursor(event.cursor)?.epoch !== epoch) return false;
  if (event.seq <= seq + 1) return true;
  if (event.event_type !== 'message_completed') return false;
  const { replaces } = event.payload;
  return replaces !== undefined && replaces.from_seq <= seq + 1 && replaces.to_seq >= event.seq - 1;
}
