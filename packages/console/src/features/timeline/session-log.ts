import type { RawFrame, Session } from '@llmgine/client';
import type { SessionEvent } from '../../lib/protocol.ts';

/** So many are kept of each; the oldest go. */
const MAX_EVENTS = 5000;
const MAX_FRAMES = 1000;

export type LoggedFrame = RawFrame & { readonly id: number };

export interface LogSnapshot {
  readonly events: readonly SessionEvent[];
  readonly frames: readonly LoggedFrame[];
}

/** What came and went on the connection of a session, for whoever wants to look at it. */
export class SessionLog {
  /** Whether it has what was before, too. */
  isWhole = false;
  readonly #listeners = new Set<() => void>();
  readonly #stop: readonly (() => void)[];
  #events: SessionEvent[] = [];
  #frames: LoggedFrame[] = [];
  #snapshot: LogSnapshot = { events: [], frames: [] };
  #isStale = false;
  #lastFrame = 0;
  #scheduled = 0;

  constructor(session: Pick<Session, 'on' | 'onFrame'>) {
    this.#stop = [
      session.on('*', (event) => this.#add([event])),
      session.onFrame((frame) => this.#frame(frame)),
    ];
  }

  snapshot = (): LogSnapshot => {
    if (this.#isStale) this.#snapshot = { events: [...this.#events], frames: [...this.#frames] };
    this.#isStale = false;
    return this.#snapshot;
  };

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Events that were there before; those that are known already are known once. */
  addEarlier(events: readonly SessionEvent[]): void {
    this.#add(events);
  }

  close(): void {
    for (const stop of this.#stop) stop();
    cancelAnimationFrame(this.#scheduled);
    this.#listeners.clear();
  }

  #add(events: readonly SessionEvent[]): void {
    const last = this.#events.at(-1)?.seq ?? 0;
    if (events.every(({ seq }, index) => seq > (events[index - 1]?.seq ?? last)))
      this.#events.push(...events);
    else {
      const bySeq = new Map([...this.#events, ...events].map((event) => [event.seq, event]));
      this.#events = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
    }
    if (this.#events.length > MAX_EVENTS) this.#events = this.#events.slice(-MAX_EVENTS);
    this.#tell();
  }

  #frame(frame: RawFrame): void {
    this.#lastFrame += 1;
    this.#frames.push({ id: this.#lastFrame, ...frame });
    if (this.#frames.length > MAX_FRAMES) this.#frames = this.#frames.slice(-MAX_FRAMES);
    this.#tell();
  }

  /** Once a frame of the screen. The lists are copied when somebody looks. */
  #tell(): void {
    if (this.#scheduled !== 0 || this.#listeners.size === 0) {
      this.#isStale ||= this.#listeners.size === 0;
      return;
    }
    this.#scheduled = requestAnimationFrame(() => {
      this.#scheduled = 0;
      this.#isStale = true;
      for (const listener of this.#listeners) listener();
    });
  }
}
