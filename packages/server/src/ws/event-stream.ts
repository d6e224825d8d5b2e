import {
  type CommandAccepted,
  type CommandResult,
  formatCursor,
  isFinished,
  type MessageId,
  parseCursor,
} from '@llmgine/protocol';
import type { ConnectionEvents } from '../handlers/types.ts';
import { resultOf } from '../runs/service.ts';
import type { Services } from '../services.ts';
import type { EventSink, Subscription } from '../sessions/subscription.ts';
import type { LogEvent } from '../storage/log-event.ts';
import type { SessionKey } from '../storage/types.ts';

/** Where a stream writes; the connection. */
export interface FrameWriter {
  sendText(frame: string): void;
  sendBytes(frame: Buffer): void;
  /** False when too much is unsent; the connection calls `resume()` when that has changed. */
  readonly room: boolean;
  cork(): void;
  uncork(): void;
  /** The stream cannot go on. */
  streamFailed(error: unknown): void;
}

const NOTHING: ReadonlySet<string> = new Set();

/** What one connection sees of the log: at most one subscription, and the results of the commands that it sent. */
export class EventStream implements ConnectionEvents, EventSink {
  readonly #services: Pick<Services, 'log' | 'storage'>;
  readonly #key: SessionKey;
  readonly #out: FrameWriter;
  #subscription: Subscription | null = null;
  /** The event types that are shown; null for all. */
  #shown: ReadonlySet<string> | null = null;
  #epoch = '';
  /** Commands of this connection whose result is still owed: run → the ids to answer with. */
  readonly #owed = new Map<string, (MessageId | undefined)[]>();

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
  ): Promise<{ cursor: string; resyncRequired: boolean; start: () => void }> {
    const { subscription, cursor, resyncRequired } = await this.#services.log.subscribe(this.#key, {
      after,
      sink: this,
    });
    this.#replace(subscription, cursor);
    this.#shown = types ? new Set(types) : null;
    return {
      cursor,
      resyncRequired,
      start: () => {
        subscription.start();
        // The new subscription may begin behind the end of a run whose result is owed.
        for (const runId of this.#owed.keys()) void this.#settle(runId);
      },
    };
  }

  unsubscribe(): void {
    this.#shown = NOTHING;
    if (this.#owed.size === 0) this.#drop();
  }

  follow(
    accepted: CommandAccepted,
    options: { messageId: MessageId | undefined; visible: boolean; attached: boolean },
  ): void {
    const { run_id: runId } = accepted;
    this.#owed.set(runId, [...(this.#owed.get(runId) ?? []), options.messageId]);
    if (!this.#subscription) {
      const after = parseCursor(accepted.cursor)?.seq ?? 0;
      const subscription = this.#services.log.follow(this.#key, after, this);
      this.#replace(subscription, accepted.cursor);
      this.#shown = options.visible ? null : NOTHING;
      subscription.start();
    } else {
      if (options.visible && this.#shown === NOTHING) this.#shown = null;
      if (options.attached) void this.#settle(runId);
    }
  }

  write(event: LogEvent): boolean {
    if (this.#shown === null || this.#shown.has(event.eventType)) this.#out.sendBytes(event.frame);
    if (event.eventType === 'run_finished' && event.runId !== null && this.#owed.has(event.runId)) {
      // The payload is the result without its run.
      this.#answer(event.runId, `{"run_id":${JSON.stringify(event.runId)},${event.payload.slice(1)}`);
    }
    return this.#out.room;
  }

  cork(): void {
    this.#out.cork();
  }

  uncork(): void {
    this.#out.uncork();
  }

  failed(error: unknown): void {
    this.#subscription = null;
    this.#out.streamFailed(error);
  }

  /** The connection has room again. */
  resume(): void {
    this.#subscription?.resume();
  }

  close(): void {
    this.#owed.clear();
    this.#drop();
  }

  /** Answers from the run's row where the event of its end may have passed already. */
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
    const ids = this.#owed.get(runId);
    if (!ids) return;
    this.#owed.delete(runId);
    for (const id of ids) {
      const messageId = id === undefined ? '' : `"message_id":${JSON.stringify(id)},`;
      this.#out.sendText(`{"type":"command_result",${messageId}"data":${data}}`);
    }
    if (this.#shown === NOTHING && this.#owed.size === 0) this.#drop();
  }

  #replace(subscription: Subscription, cursor: string): void {
    this.#subscription?.close();
    this.#subscription = subscription;
    this.#epoch = parseCursor(cursor)?.epoch ?? '';
  }

  #drop(): void {
    this.#subscription?.close();
    this.#subscription = null;
    this.#shown = null;
  }
}
