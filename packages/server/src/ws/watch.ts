/** Finds the connections whose peer is gone, or does not read what it is sent. */
import type { ConfigValues } from '../config.ts';
import { DeadlineQueue } from './deadline-queue.ts';

/** After its last chance a silent peer gets this long to answer. */
const LAST_CHANCE_MS = 5000;
const MAX_UNANSWERED = 2;

export interface Watched {
  /** Asks the peer for a sign of life. */
  ping(): void;
  /** How many pings in a row have been without one. */
  readonly unanswered: number;
  terminate(): void;
  /** Bytes that the network has taken; what waits for the peer to read does not count. */
  readonly bytesTaken: number;
  tooSlow(): void;
}

export class Watch {
  readonly #heartbeat: DeadlineQueue<Watched>;
  readonly #lastChance: DeadlineQueue<Watched>;
  readonly #stalled: DeadlineQueue<Watched>;
  /** Blocked connections: what the network had taken when they were looked at last. */
  readonly #blocked = new Map<Watched, number>();

  constructor(values: ConfigValues) {
    const beat = values.websocketHeartbeat * 1000;
    this.#heartbeat = new DeadlineQueue(beat, (watched) => this.#beat(watched));
    this.#lastChance = new DeadlineQueue(Math.min(LAST_CHANCE_MS, beat / 6), (watched) =>
      this.#lastBeat(watched),
    );
    this.#stalled = new DeadlineQueue(values.websocketStallTimeout * 1000, (watched) =>
      this.#checkStall(watched),
    );
  }

  add(watched: Watched): void {
    this.#heartbeat.add(watched);
  }

  delete(watched: Watched): void {
    this.#heartbeat.delete(watched);
    this.#lastChance.delete(watched);
    this.unblocked(watched);
  }

  /** Something waits for the peer to read. */
  blocked(watched: Watched): void {
    if (this.#blocked.has(watched)) return;
    this.#blocked.set(watched, watched.bytesTaken);
    this.#stalled.add(watched);
  }

  /** The peer has read everything. */
  unblocked(watched: Watched): void {
    if (this.#blocked.delete(watched)) this.#stalled.delete(watched);
  }

  clear(): void {
    this.#heartbeat.clear();
    this.#lastChance.clear();
    this.#stalled.clear();
    this.#blocked.clear();
  }

  #beat(watched: Watched): void {
    if (!this.#blocked.has(watched)) watched.ping();
    if (this.#silent(watched)) this.#lastChance.add(watched);
    else this.#heartbeat.add(watched);
  }

  #lastBeat(watched: Watched): void {
    if (this.#silent(watched)) watched.terminate();
    else this.#heartbeat.add(watched);
  }

  /** A ping that waits behind other bytes cannot be answered yet: then only the bytes tell whether the peer is there. */
  #silent(watched: Watched): boolean {
    return watched.unanswered >= MAX_UNANSWERED && !this.#blocked.has(watched);
  }

  #checkStall(watched: Watched): void {
    const taken = watched.bytesTaken;
    if (taken > (this.#blocked.get(watched) ?? 0)) {
      this.#blocked.set(watched, taken);
      this.#stalled.add(watched);
    } else {
      this.#blocked.delete(watched);
      watched.tooSlow();
    }
  }
}
