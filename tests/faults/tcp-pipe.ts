/** One direction of a connection through the fault proxy. */
import type { Socket } from 'node:net';
import type { Random } from './random.ts';

/** What is wrong with one direction. It may change at any time, and counts for what has not been passed on yet. */
export interface Fault {
  /** Milliseconds that everything takes longer. Default 0. */
  readonly latencyMs: number;
  /** Up to so many more, drawn for each chunk; the order stays. Default 0. */
  readonly jitterMs: number;
  /** Bytes of one write at most. Default: as they come. */
  readonly slice: number;
  /** Of each connection: a narrow band. Default: no limit. */
  readonly bytesPerSecond: number;
  /**
   * `pause`: nothing is passed on, and soon nothing is read any more, so that the sender notices. `swallow`: everything is
   * read and thrown away, also the end of the stream, so that nobody notices: a half-open connection. Default `pass`.
   */
  readonly flow: 'pass' | 'pause' | 'swallow';
}

export const NO_FAULT: Fault = {
  latencyMs: 0,
  jitterMs: 0,
  slice: Number.POSITIVE_INFINITY,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  flow: 'pass',
};

/** Bytes that wait here at most; then the source has to. */
const HIGH_WATER = 65_536;

interface Waiting {
  readonly bytes: Buffer;
  readonly due: number;
}

export interface PipeOptions {
  readonly from: Socket;
  readonly to: Socket;
  readonly fault: () => Fault;
  readonly random: Random;
  /** Asked before so many bytes are passed on: how many of them may be, and whether the connection is cut after them. */
  readonly allowance: (bytes: number) => { readonly bytes: number; readonly cut: boolean };
  readonly cut: () => void;
  /** Something was thrown away: so many bytes, or the end. */
  readonly swallowed: (what: number | 'end') => void;
}

export class Pipe {
  readonly #options: PipeOptions;
  readonly #waiting: Waiting[] = [];
  #size = 0;
  #lastDue = 0;
  #busyUntil = 0;
  #ended = false;
  #writing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PipeOptions) {
    this.#options = options;
    const { from } = options;
    from.on('data', (bytes) => this.#take(bytes as Buffer));
    from.on('end', () => {
      if (options.fault().flow === 'swallow') {
        options.swallowed('end');
        return;
      }
      this.#ended = true;
      this.pump();
    });
  }

  /** The fault has changed: passes on what may be passed on now. */
  pump(): void {
    const { from, to, fault, cut, allowance, swallowed } = this.#options;
    clearTimeout(this.#timer);
    const { flow, slice, bytesPerSecond } = fault();
    if (flow === 'swallow') {
      if (this.#size > 0) swallowed(this.#size);
      this.#waiting.length = 0;
      this.#size = 0;
      from.resume();
      return;
    }
    if (flow === 'pause' || this.#writing || to.destroyed) return;
    const [first] = this.#waiting;
    if (!first) {
      if (this.#ended) to.end();
      return;
    }
    const now = performance.now();
    const early = Math.max(first.due, this.#busyUntil) - now;
    if (early > 0) {
      this.#timer = setTimeout(() => this.pump(), early);
      return;
    }
    const allowed = allowance(Math.min(first.bytes.length, slice));
    const bytes = first.bytes.subarray(0, allowed.bytes);
    if (bytes.length === first.bytes.length) this.#waiting.shift();
    else this.#waiting[0] = { bytes: first.bytes.subarray(bytes.length), due: first.due };
    this.#size -= bytes.length;
    this.#busyUntil = now + (bytes.length / bytesPerSecond) * 1000;
    if (this.#size < HIGH_WATER) from.resume();
    this.#writing = true;
    // The next slice goes when this one has left, so that the peer gets them one by one.
    to.write(bytes, () => {
      this.#writing = false;
      if (allowed.cut) cut();
      else this.pump();
    });
  }

  /** Bytes that wait. */
  get held(): number {
    return this.#size;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #take(bytes: Buffer): void {
    const { from, fault, random } = this.#options;
    const { flow, latencyMs, jitterMs } = fault();
    if (flow === 'swallow') {
      this.#options.swallowed(bytes.length);
      return;
    }
    const due = performance.now() + latencyMs + (jitterMs === 0 ? 0 : random.next() * jitterMs);
    this.#lastDue = Math.max(this.#lastDue, due);
    this.#waiting.push({ bytes, due: this.#lastDue });
    this.#size += bytes.length;
    if (this.#size >= HIGH_WATER) from.pause();
    this.pump();
  }
}
