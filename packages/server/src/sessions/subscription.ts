import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cluster } from '../cluster/types.ts';
import type { LogEvent } from '../storage/log-event.ts';
import type { SessionKey, Storage } from '../storage/types.ts';

const PAGE = 256;
/** About what a socket takes before it is full: what is read beyond that is read again when there is room. */
const PAGE_SIZE = 65_536;

/** Why a subscription cannot go on: what follows its position was pruned. Its reader has to resume, and is told to resync. */
export class EventsPruned extends Error {
  /** Events up to this `seq` may be gone. */
  readonly floorSeq: number;

  constructor(floorSeq: number) {
    super(`Events up to ${floorSeq} are not kept any more`);
    this.name = 'EventsPruned';
    this.floorSeq = floorSeq;
  }
}

export interface EventSink {
  /**
   * Takes one event. False means full: the event was taken, and no more come until `resume()`; until then the
   * subscription holds nothing and reads what it missed from the log.
   */
  write(event: LogEvent): boolean;
  /** Called around events that are delivered together, so that they can leave in one write. */
  cork?(): void;
  uncork?(): void;
  /** All that is committed was delivered; what comes is delivered as it happens. Called again after each time behind. */
  live?(): void;
  /**
   * The log cannot be read on: the storage failed, the reader was too slow (`EventsPruned`), or (without an error) the
   * session is gone. Nothing follows.
   */
  failed(error: unknown): void;
}

/**
 * One reader of a session's log: every event after its position once, in order. It is on the live path while it keeps
 * up; behind, it reads pages from the log and joins the live path again without a gap.
 */
export class Subscription {
  readonly #storage: Storage;
  readonly #key: SessionKey;
  readonly #sink: EventSink;
  readonly #leave: () => void;
  #state: 'new' | 'live' | 'reading' | 'full' | 'closed' = 'new';
  #resuming = false;
  /** Something may have been committed that nobody told of, since the last page was asked for. */
  #inDoubt = false;
  /** The newest event that was heard of. */
  #heard = 0;
  /** The last event delivered; set by the log before the start. */
  position = 0;

  constructor(storage: Storage, cluster: Cluster, key: SessionKey, sink: EventSink) {
    this.#storage = storage;
    this.#key = key;
    this.#sink = sink;
    this.#leave = cluster.subscribe(key.sessionId, (events) => this.#hear(events));
  }

  /** Begins to deliver. */
  start(): void {
    if (this.#state === 'new') this.#read();
  }

  /** The sink has room again. */
  resume(): void {
    if (this.#state !== 'full' || this.#resuming) return;
    this.#resuming = true;
    // Later: a sink may have room again while it is being uncorked, in the middle of a delivery.
    setImmediate(() => {
      this.#resuming = false;
      if (this.#state === 'full') this.#read();
    });
  }

  close(): void {
    this.#state = 'closed';
    this.#leave();
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** All that is committed was delivered. */
  get live(): boolean {
    return this.#state === 'live';
  }

  #hear(events: readonly LogEvent[]): void {
    const last = events[events.length - 1];
    if (!last) {
      // There may be some that were not published.
      this.#inDoubt = true;
      if (this.#state === 'live') this.#read();
      return;
    }
    if (last.seq > this.#heard) this.#heard = last.seq;
    if (this.#state !== 'live') return;
    this.#deliver(events);
    // What the events did not bring, for example after a lost wake-up, is in the log.
    if (this.#state === 'live' && this.position < this.#heard) this.#read();
  }

  /** Delivers what follows the position; stops at a gap, or when the sink is full. */
  #deliver(events: readonly LogEvent[]): void {
    // A single one leaves in one write anyway.
    const together = events.length > 1;
    if (together) this.#sink.cork?.();
    for (const event of events) {
      if (event.seq <= this.position) continue;
      if (event.seq !== this.position + 1 && this.#state === 'live') break;
      this.position = event.seq;
      const room = this.#sink.write(event);
      if (this.#state === 'closed') break;
      if (!room) {
        this.#state = 'full';
        break;
      }
    }
    if (together) this.#sink.uncork?.();
  }

  #read(): void {
    this.#state = 'reading';
    void this.#readPages();
  }

  async #readPages(): Promise<void> {
    try {
      while (this.#state === 'reading') {
        this.#inDoubt = false;
        const page = await this.#storage.readEvents(this.#key, this.position, PAGE, PAGE_SIZE);
        if (this.#state !== 'reading') return;
        if (!page || page.floorSeq > this.position) {
          this.close();
          this.#sink.failed(page ? new EventsPruned(page.floorSeq) : undefined);
          return;
        }
        // A gap in a page is what was compacted; what stands for it follows.
        this.#deliver(page.events);
        if (this.#state !== 'reading') return;
        // What was heard of meanwhile may be younger than the page.
        const newest = Math.max(this.#heard, page.headSeq);
        const behind = page.events.length > 0 ? this.position < newest : this.#heard > page.headSeq;
        // Whatever is committed from here on is heard, because hearing and this line run in one thread.
        if (behind || this.#inDoubt) {
          // A sink that always has room, like one that shows little of what it takes, must not hold the event loop.
          await nextTurn();
          continue;
        }
        this.#state = 'live';
        this.#sink.live?.();
      }
    } catch (error) {
      if (this.closed) return;
      this.close();
      this.#sink.failed(error);
    }
  }
}
