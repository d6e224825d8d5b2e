import type { ServerResponse } from 'node:http';
import type { ApiError } from '@llmgine/protocol';
import type { FastifyReply } from 'fastify';
import type { Subscription } from '../../sessions/subscription.ts';
import type { LogEvent } from '../../storage/log-event.ts';

const RETRY_MS = 2000;

/**
 * One response of server-sent events. It holds nothing itself: when the socket is full, `write` says so and the
 * subscription reads on from the log once there is room. A peer that does not read is cut off; it may resume.
 */
export class EventStream {
  readonly sessionId: string;
  readonly #response: ServerResponse;
  readonly #stallMs: number;
  #subscription: Subscription | null = null;
  #cursor: string;
  #stall: NodeJS.Timeout | null = null;

  /**
   * Sends the headers, and the cursor, so that a client which drops before the first event resumes without a gap. A full
   * stream that makes no progress for `stallMs` milliseconds is ended.
   */
  constructor(reply: FastifyReply, sessionId: string, cursor: string, stallMs: number) {
    this.sessionId = sessionId;
    this.#cursor = cursor;
    this.#stallMs = stallMs;
    reply.hijack();
    this.#response = reply.raw;
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) this.#response.setHeader(name, value);
    }
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // A proxy that collects the response would hold back what happens now.
      'x-accel-buffering': 'no',
    });
    this.#response.write(`retry: ${RETRY_MS}\nid: ${cursor}\n\n`);
    this.#response.on('drain', () => this.#drained());
    this.onClose(() => {
      this.#clearStall();
      this.#subscription?.close();
    });
  }

  /** Where the client can resume. */
  get cursor(): string {
    return this.#cursor;
  }

  get closed(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  onClose(listener: () => void): void {
    this.#response.once('close', listener);
  }

  /** Begins to send the events of the subscription, whose sink writes here. */
  start(subscription: Subscription): void {
    this.#subscription = subscription;
    if (this.closed) subscription.close();
    else subscription.start();
  }

  /** Takes one event; false when no more should come before `resume()` of the subscription is called. */
  write(event: LogEvent): boolean {
    if (this.closed) return false;
    this.#cursor = event.cursor;
    return this.#write(`id: ${event.cursor}\nevent: ${event.eventType}\ndata: ${event.data}\n\n`);
  }

  cork(): void {
    this.#response.cork();
  }

  uncork(): void {
    this.#response.uncork();
  }

  /** An event that is not of the log. `data` is serialised here, so it is one line. */
  send(event: string, data: unknown): void {
    if (!this.closed) this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Keeps proxies from closing a silent stream, and finds out that the peer is gone. */
  heartbeat(): void {
    if (!this.closed && !this.#response.writableNeedDrain) this.#write(':\n\n');
  }

  /** Tells the client to resume elsewhere, then ends. */
  goAway(reason: string, reconnectAfterMs: number): void {
    if (this.closed) return;
    this.#write(`retry: ${reconnectAfterMs}\n\n`);
    this.send('going_away', { reason, cursor: this.#cursor, reconnect_after_ms: reconnectAfterMs });
    this.end();
  }

  /** Ends at once, with an event that says why; a peer that does not read is not waited for. */
  cut(error: ApiError): void {
    if (this.closed) return;
    if (this.#response.writableNeedDrain) this.#response.destroy();
    this.send('error', { code: error.code, message: error.message });
    this.end();
  }

  end(): void {
    this.#subscription?.close();
    if (!this.closed) this.#response.end();
  }

  #write(text: string): boolean {
    const room = this.#response.write(text);
    if (!room) this.#watchStall();
    return room;
  }

  #drained(): void {
    this.#clearStall();
    this.#subscription?.resume();
  }

  #watchStall(): void {
    if (this.#stall) return;
    const before = this.#response.writableLength;
    this.#stall = setTimeout(() => {
      this.#stall = null;
      if (this.#response.writableLength < before) this.#watchStall();
      else this.#response.destroy();
    }, this.#stallMs);
    this.#stall.unref();
  }

  #clearStall(): void {
    if (this.#stall) clearTimeout(this.#stall);
    this.#stall = null;
  }
}
