/** One socket: what comes in and goes out of it, and its limits. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { ApiError, CLOSE_CODES, type CloseCode, type MessageId } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { OutgoingFrame } from '../handlers/types.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import type { SessionKey } from '../storage/types.ts';
import { Dispatch, type DispatchTarget } from './dispatch.ts';
import { EventStream, type FrameWriter } from './event-stream.ts';
import type { TokenBucket } from './token-bucket.ts';

/** After the error that says so, this many more frames over the rate close the connection. */
const RATE_STRIKES = 10;
const TEXT = { binary: false } as const;

export interface ConnectionOptions {
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly principal: Principal;
  readonly key: SessionKey;
  readonly remoteAddress: string;
  readonly services: Services;
  /** Frames may come as fast as all of these allow. */
  readonly buckets: readonly TokenBucket[];
  /** The connection waits for the client to read; `onUnblocked` when it has read everything. */
  readonly onBlocked: (connection: Connection) => void;
  readonly onUnblocked: (connection: Connection) => void;
  readonly onClosed: (connection: Connection) => void;
}

export class Connection implements DispatchTarget, FrameWriter {
  readonly id = `conn_${randomBytes(9).toString('base64url')}`;
  readonly connectedAt = new Date();
  readonly principal: Principal;
  readonly key: SessionKey;
  readonly remoteAddress: string;
  readonly logger: Logger;
  readonly events: EventStream;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #dispatch: Dispatch;
  readonly #maxUnsent: number;
  /** Above it, events wait in the log instead of in memory. */
  readonly #highWater: number;
  #acceptsServerFrames = false;
  #strikes = 0;
  #closeCode: CloseCode | undefined;
  #sent = 0;
  #seenSent = 0;
  #missedPongs = 0;

  constructor(options: ConnectionOptions) {
    const { ws, services } = options;
    this.#options = options;
    this.#ws = ws;
    this.#socket = options.socket;
    this.principal = options.principal;
    this.key = options.key;
    this.remoteAddress = options.remoteAddress;
    this.#maxUnsent = services.config.values.websocketMaxBuffer;
    this.#highWater = this.#maxUnsent / 4;
    this.logger = services.logger.child({ connection_id: this.id, session_id: this.key.sessionId });
    this.events = new EventStream(services, this.key, this);
    this.#dispatch = new Dispatch(services, this);
    ws.on('message', (data, isBinary) => this.#receive(data, isBinary));
    ws.on('pong', () => this.alive());
    ws.on('close', (code) => this.#closed(code));
    // Protocol errors: the library closes with 1002, 1007 or 1009 by itself.
    ws.on('error', (error) => this.logger.debug({ err: error }, 'socket error'));
    options.socket.on('drain', () => this.#drained());
  }

  get sessionId(): string {
    return this.key.sessionId;
  }

  get acceptsServerFrames(): boolean {
    return this.#acceptsServerFrames;
  }

  acceptServerFrames(): void {
    this.#acceptsServerFrames = true;
  }

  /** Sent by the server or asked for by a handler; never counted as a reply. */
  send(frame: OutgoingFrame): void {
    this.sendText(JSON.stringify(frame));
  }

  sendReply(messageId: MessageId | undefined, type: string, data: object): void {
    this.sendText(
      JSON.stringify(messageId === undefined ? { type, data } : { type, message_id: messageId, data }),
    );
  }

  sendText(frame: string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#sent += frame.length;
    this.#ws.send(frame, TEXT);
    this.#checkUnsent();
  }

  sendBytes(frame: Buffer): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#sent += frame.length;
    this.#ws.send(frame, TEXT);
    this.#checkUnsent();
  }

  get room(): boolean {
    const room = this.#ws.bufferedAmount < this.#highWater;
    if (!room) this.#options.onBlocked(this);
    return room;
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  streamFailed(error: unknown): void {
    // Without an error the session is gone, and the notice of that closes the socket.
    if (error === undefined) return;
    this.logger.error({ err: error }, 'events cannot be read');
    this.close(CLOSE_CODES.OVERLOADED, 'events cannot be read, resume');
  }

  close(code: CloseCode, reason: string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#closeCode = code;
    this.events.close();
    this.#ws.close(code, reason);
  }

  /** Ends the connection with an `error` frame that says why. */
  closeWith(error: ApiError): void {
    this.sendReply(undefined, 'error', { code: error.code, message: error.message });
    this.close(error.definition.closeCode ?? CLOSE_CODES.BUG, error.message);
  }

  /** Does not wait for the peer. */
  terminate(): void {
    this.#ws.terminate();
  }

  pauseReading(): void {
    this.#ws.pause();
  }

  resumeReading(): void {
    this.#ws.resume();
  }

  /** The peer has shown that it is there. */
  alive(): void {
    this.#missedPongs = 0;
  }

  /** Asks the peer whether it is there; returns how many times in a row it has been asked without an answer before. */
  ping(): number {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
    return this.#missedPongs++;
  }

  /** How many pings in a row are unanswered. */
  get missedPongs(): number {
    return this.#missedPongs;
  }

  /** True when something has left since the last time that this was asked. */
  madeProgress(): boolean {
    const left = this.#sent - this.#ws.bufferedAmount;
    const progress = left > this.#seenSent;
    this.#seenSent = left;
    return progress;
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.alive();
    if (this.#closeCode !== undefined) return;
    if (!this.#options.buckets.every((bucket) => bucket.take())) {
      this.#overRate();
      return;
    }
    this.#strikes = 0;
    if (isBinary) {
      const error = new ApiError(
        'INVALID_MESSAGE_TYPE',
        'Binary messages are not part of a message type here',
      );
      this.#options.services.metrics.error(error.code);
      this.sendReply(undefined, 'error', { code: error.code, message: error.message });
      return;
    }
    this.#dispatch.receive(data.toString());
  }

  #overRate(): void {
    this.#strikes++;
    if (this.#strikes === 1) {
      this.#options.services.metrics.error('RATE_LIMITED');
      const { websocketMessageRate: rate } = this.#options.services.config.values;
      const message = `At most ${rate} messages a second; this one was dropped`;
      this.sendReply(undefined, 'error', { code: 'RATE_LIMITED', message });
    } else if (this.#strikes > RATE_STRIKES) {
      this.close(CLOSE_CODES.TOO_MANY_MESSAGES, 'too many messages');
    }
  }

  #checkUnsent(): void {
    if (this.#ws.bufferedAmount > this.#maxUnsent) this.tooSlow();
  }

  /** The client may connect again and resume. */
  tooSlow(): void {
    this.logger.warn({ unsent: this.#ws.bufferedAmount }, 'the client reads too slowly');
    this.close(CLOSE_CODES.TOO_SLOW, 'too slow, resume');
  }

  #drained(): void {
    this.#options.onUnblocked(this);
    this.events.resume();
  }

  #closed(code: number): void {
    this.logger.debug({ code }, 'connection closed');
    this.events.close();
    this.#dispatch.close();
    this.#options.services.metrics.socketClosed(this.#closeCode);
    this.#options.onClosed(this);
  }
}
