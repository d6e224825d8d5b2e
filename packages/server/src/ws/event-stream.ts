import {
  type CommandAccepted,
  type CommandResult,
  formatCursor,
  isFinished,
  type MessageId,
  parseCursor,
} from '@llmgine/protocol';
import type { ConnectionEvents } from '../handlers/types.ts';
import { resultOf } from '../runs/results.ts';
import type { Services } from '../services.ts';
import { type EventSink, EventsPruned, type Subscription } from '../sessions/subscription.ts';
import type { LogEvent } from '../storage/log-event.ts';
import type { SessionKey } from '../storage/types.ts';

/** Where a stream writes; the connection. */
export interface FrameWriter {
  write(frame: string | Buffer): void;
  /** False when enough waits for the peer to read; the connection calls `resume()` when it has. */
  readonly hasRoom: boolean;
  cork(): void;
  uncork(): void;
  /** The stream cannot go on. */
  streamFailed(error: unknown): void;
  /** Nor can it, because what comes next is gone: the client has to resume, and then is told to resync. */
  tooSlow(): void;
}

const NOTHING: ReadonlySet<string> = new Set();

/** The commands for one run whose result this connection has not got yet. */
interface Owed {
  /** One result each. */
  readonly messageIds: (MessageId | undefined)[];
  /** `seq` before its first event. */
  readonly from: number;
  /** Its events are shown whatever else is. */
  visible: boolean;
}

/** What one connection sees of the log: at most one subscription, and the results of the commands that it sent. */
export class EventStream implements ConnectionEvents, EventSink {
  readonly #services: Pick<Services, 'log' | 'storage'>;
  readonly #key: SessionKey;
  readonly #out: FrameWriter;
  #subscription: Subscription | null = null;
  #epoch = '';
  /** Where a command began the subscription; null when the client did. */
  #begunAt: number | null = null;
  /** The event types that are shown; null for all. */
  #shown: ReadonlySet<string> | null = null;
  /** By run. */
  readonly #owed = new Map<string, Owed>();
  /** Owed runs whose end may lie before what the subscription delivers. */
  readonly #unsettled = new Set<string>();
  /** Results that wait until the peer has read what was sent before. */
  readonly #late: string[] = [];
  #closed = false;

  constructor(services: Pick<Services, 'log' | 'storage'>, key: SessionKey, out: FrameWriter) {
    this.#services = services;
    this.#key = key;
    this.#out = out;
  }

  /** Where a client can resume, or null when it follows nothing. */
  get cursor(): string | null {
    return this.#subscription && this.#shown !== NOTHING
      ? formatCursor(this.#epoch, this.#subscription.position)
      : null;
  }

  async subscribe(
    after: string | undefined,
    types: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<{ cursor: string; resyncRequired: boolean; start: () => void }> {
    const { subscription, cursor, resyncRequired } = await this.#services.log.subscribe(this.#key, {
      after,
      sink: this,
    });
    if (signal.aborted || this.#closed) {
      subscription.close();
      throw signal.reason ?? new Error('the connection is closed');
    }
    this.#hideOwed();
    this.#epoch = parseCursor(cursor)?.epoch ?? '';
    this.#replace(subscription, types ? new Set(types) : null);
    this.#begunAt = null;
    return { cursor, resyncRequired, start: () => subscription.start() };
  }

  unsubscribe(): void {
    this.#hideOwed();
    this.#shown = NOTHING;
    if (this.#owed.size === 0) this.#drop();
  }

  follow(
    accepted: CommandAccepted,
    options: { messageId: MessageId | undefined; visible: boolean; attached: boolean },
  ): void {
    // The command outlives its connection; its reader must not.
    if (this.#closed) return;
    const { run_id: runId, cursor } = accepted;
    const { epoch, seq: from } = parseCursor(cursor) ?? { epoch: '', seq: 0 };
    if (!this.#subscription || (options.visible && this.#shown === NOTHING)) {
      this.#epoch = epoch;
      this.#begin(from, options.visible ? null : NOTHING);
    }
    const owed = this.#owed.get(runId) ?? { messageIds: [], from, visible: false };
    owed.messageIds.push(options.messageId);
    owed.visible ||= options.visible;
    this.#owed.set(runId, owed);
    if (options.attached) {
      this.#unsettled.add(runId);
      if (this.#subscription?.live) this.live();
    }
  }

  write(event: LogEvent): boolean {
    const { runId, eventType } = event;
    const owed = runId === null ? undefined : this.#owed.get(runId);
    if (this.#shown === null || owed?.visible || this.#shown.has(eventType)) this.#out.write(event.frame);
    if (owed && runId !== null && eventType === 'run_finished') {
      // The payload is the result without its run.
      this.#answer(runId, `{"run_id":${JSON.stringify(runId)},${event.payload.slice(1)}`);
    }
    return this.#late.length === 0 && this.#out.hasRoom;
  }

  cork(): void {
    this.#out.cork();
  }

  uncork(): void {
    this.#out.uncork();
  }

  /**
   * Answers from the rows of the unsettled runs, for the case that the events of their ends have passed already. Only when
   * nothing that is committed waits to be delivered: an end among it has to come first.
   */
  live(): void {
    for (const runId of this.#unsettled) void this.#settle(runId);
    this.#unsettled.clear();
  }

  failed(error: unknown): void {
    const { position } = this.#subscription ?? { position: null };
    this.#subscription = null;
    if (!(error instanceof EventsPruned)) this.#out.streamFailed(error);
    else if (position !== this.#begunAt) this.#out.tooSlow();
    else this.#beginLater(error.floorSeq);
  }

  /** The connection has room again. */
  resume(): void {
    while (this.#late.length > 0 && this.#out.hasRoom) this.#out.write(this.#late.shift() as string);
    if (this.#late.length === 0) this.#subscription?.resume();
  }

  close(): void {
    this.#closed = true;
    this.#late.length = 0;
    this.#owed.clear();
    this.#drop();
  }

  async #settle(runId: string): Promise<void> {
    try {
      const run = await this.#services.storage.getRun(this.#key, runId);
      if (run && isFinished(run.status)) {
        const result: CommandResult = resultOf(run);
        this.#answer(runId, JSON.stringify(result));
      }
    } catch (error) {
      this.#out.streamFailed(error);
    }
  }

  #answer(runId: string, data: string): void {
    const owed = this.#owed.get(runId);
    if (!owed) return;
    this.#owed.delete(runId);
    this.#unsettled.delete(runId);
    for (const id of owed.messageIds) {
      const messageId = id === undefined ? '' : `"message_id":${JSON.stringify(id)},`;
      this.#result(`{"type":"command_result",${messageId}"data":${data}}`);
    }
    if (this.#shown === NOTHING && this.#owed.size === 0) this.#drop();
  }

  /** A result is as large as the event that it comes after: what has to wait for room is sent before any other event. */
  #result(frame: string): void {
    if (this.#late.length === 0 && this.#out.hasRoom) this.#out.write(frame);
    else this.#late.push(frame);
  }

  /** Follows the log for a command. */
  #begin(from: number, shown: ReadonlySet<string> | null): void {
    const subscription = this.#services.log.follow(this.#key, from, this);
    this.#replace(subscription, shown);
    this.#begunAt = from;
    subscription.start();
  }

  /**
   * A command of long ago was sent again: its run has ended, for nothing prunes the events of one that has not. Its result
   * is what is left, so it is shown none of the events; the commands sent since are.
   */
  #beginLater(floorSeq: number): void {
    const shown: number[] = [];
    for (const owed of this.#owed.values()) {
      owed.visible &&= owed.from >= floorSeq;
      if (owed.visible) shown.push(owed.from);
    }
    if (shown.length > 0) this.#begin(Math.min(...shown), null);
    else this.#begin(floorSeq, NOTHING);
  }

  #replace(subscription: Subscription, shown: ReadonlySet<string> | null): void {
    this.#subscription?.close();
    this.#subscription = subscription;
    this.#shown = shown;
    // It may begin behind the end of a run whose result is owed.
    for (const runId of this.#owed.keys()) this.#unsettled.add(runId);
  }

  /** What the client has said since about what it sees counts. */
  #hideOwed(): void {
    for (const owed of this.#owed.values()) owed.visible = false;
  }

  #drop(): void {
    this.#subscription?.close();
    this.#subscription = null;
    this.#shown = null;
    this.#unsettled.clear();
  }
}
