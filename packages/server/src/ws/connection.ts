/** One socket: what comes in and goes out of it, and its limits. */
import type { Socket } from 'node:net';
import { ApiError, CLOSE_CODES, type CloseCode, type MessageId } from '@llmgine/protocol';
import { nanoid } from 'nanoid';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { OutgoingFrame } from '../handlers/types.ts';
import type { LiveUse } from '../security/live-credentials.ts';
import { may } from '../security/permissions.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import type { SessionKey } from '../storage/types.ts';
import { textFrame } from '../text-frame.ts';
import { AudioInput, type AudioTarget } from './audio-input.ts';
import { Dispatch, type DispatchTarget } from './dispatch.ts';
import { EventStream, type FrameWriter } from './event-stream.ts';
import { SOCKET_PERMISSION, tokenRequest } from './handshake.ts';
import type { MessageRate } from './message-rate.ts';
import { bytesTaken } from './socket-bytes.ts';
import type { Watched } from './watch.ts';

/** Why a socket is not read; as long as there is any reason, it is not. */
const PAUSES = { handlers: 1, audio: 2, rate: 4 } as const;
type Pause = keyof typeof PAUSES;
const STRAY_AUDIO = 'Binary messages are the bytes of a recording: they come after audio_begin';

/** Who is told what happens to a connection; the same for all. */
export interface ConnectionOwner {
  readonly services: Services;
  /** Something waits for the peer to read. Called again and again. */
  blocked(connection: Connection): void;
  /** The peer has read everything. */
  unblocked(connection: Connection): void;
  closed(connection: Connection): void;
}

export interface ConnectionOptions {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly principal: Principal;
  readonly key: SessionKey;
  readonly remoteAddress: string;
  /** Null for no limit. */
  readonly rate: MessageRate | null;
  readonly owner: ConnectionOwner;
}

export class Connection implements DispatchTarget, AudioTarget, FrameWriter, LiveUse, Watched {
  readonly id = `conn_${nanoid(12)}`;
  readonly key: SessionKey;
  readonly remoteAddress: string;
  readonly #openedAt = Date.now();
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #rate: MessageRate | null;
  readonly #dispatch: Dispatch;
  #principal: Principal;
  // Most sockets are idle most of the time: what an idle one does not need is made when it is needed.
  #events: EventStream | null = null;
  #audio: AudioInput | null = null;
  #throttle: NodeJS.Timeout | null = null;
  #logger: Logger | null = null;
  #acceptsServerFrames = false;
  #closeCode: CloseCode | undefined;
  #stopped = false;
  /** Bits of `PAUSES`. */
  #paused = 0;
  #unanswered = 0;
  #bytesRead = 0;

  constructor({ ws, socket, principal, key, remoteAddress, rate, owner }: ConnectionOptions) {
    this.#ws = ws;
    this.#socket = socket;
    this.#owner = owner;
    this.#rate = rate;
    this.#principal = principal;
    this.key = key;
    this.remoteAddress = remoteAddress;
    this.#dispatch = new Dispatch(owner.services, this);
    ws.on('message', (data, isBinary) => this.#receive(data, isBinary));
    ws.on('close', (code) => this.#closed(code));
    ws.on('error', (error) => this.#broken(error));
    socket.on('drain', () => this.#drained());
  }

  /** Who it is stays the same; what it may do, and with which credential, does not. */
  get principal(): Principal {
    return this.#principal;
  }

  get sessionId(): string {
    return this.key.sessionId;
  }

  get connectedAt(): Date {
    return new Date(this.#openedAt);
  }

  get logger(): Logger {
    this.#logger ??= this.#owner.services.logger.child({
      connection_id: this.id,
      session_id: this.key.sessionId,
    });
    return this.#logger;
  }

  get events(): EventStream {
    if (!this.#events) {
      this.#events = new EventStream(this.#owner.services, this.key, this);
      if (this.#stopped) this.#events.close();
    }
    return this.#events;
  }

  get audio(): AudioInput {
    if (!this.#audio) {
      this.#audio = new AudioInput(this.#owner.services.files, this);
      if (this.#stopped) this.#audio.close();
    }
    return this.#audio;
  }

  /** Where the client can resume, or null when it follows nothing. */
  get cursor(): string | null {
    return this.#events?.cursor ?? null;
  }

  get acceptsServerFrames(): boolean {
    return this.#acceptsServerFrames;
  }

  acceptServerFrames(): void {
    this.#acceptsServerFrames = true;
  }

  send(frame: OutgoingFrame): void {
    this.write(JSON.stringify(frame));
  }

  sendReply(messageId: MessageId | undefined, type: string, data: object): void {
    this.write(
      JSON.stringify(messageId === undefined ? { type, data } : { type, message_id: messageId, data }),
    );
  }

  /**
   * One frame as JSON text, or made of it by `textFrame`; does nothing once the connection closes. What is unsent counts
   * before the frame, not with it: a frame larger than the limit reaches a client that reads.
   *
   * It goes to the socket itself: nothing is compressed, so the library never holds back frames of its own (pings, the
   * close) that it could overtake.
   */
  write(frame: string | Buffer): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    const socket = this.#socket;
    if (socket.writableLength > 0 && socket.writableLength > this.#maxUnsent) {
      this.tooSlow();
      return;
    }
    socket.write(typeof frame === 'string' ? textFrame(frame) : frame);
    if (!this.hasRoom) this.#owner.blocked(this);
  }

  /** Not less than what the socket takes before it asks to hold on: events, which do that, never reach the limit. */
  get #maxUnsent(): number {
    const { websocketMaxBuffer } = this.#owner.services.config.values;
    return Math.max(websocketMaxBuffer, this.#socket.writableHighWaterMark);
  }

  get hasRoom(): boolean {
    return !this.#socket.writableNeedDrain;
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

  /** From now on nothing that came or comes in has an effect. */
  close(code: CloseCode, reason: string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#closeCode = code;
    this.#stop();
    // The answer of the peer has to be read.
    this.#resume(~0);
    this.#ws.close(code, reason);
  }

  /** Ends the connection with an `error` frame that says why. */
  closeWith(error: ApiError): void {
    const { closeCode, message } = error.definition;
    this.sendReply(undefined, 'error', { code: error.code, message: error.message });
    this.close(closeCode ?? CLOSE_CODES.BUG, message);
  }

  async refresh(token: string): Promise<Principal> {
    const { authenticate, live } = this.#owner.services;
    const principal = await authenticate.verify(token, tokenRequest(this.#socket, token, this.remoteAddress));
    const { id, tenantId, local } = this.#principal;
    if (principal.id !== id || principal.tenantId !== tenantId) {
      throw new ApiError('FORBIDDEN', 'This is the credential of somebody else');
    }
    if (!this.#stopped) live.replace(this, { ...principal, local });
    return principal;
  }

  changed(principal: Principal): void {
    this.#principal = principal;
    if (!may(principal, SOCKET_PERMISSION)) this.close(CLOSE_CODES.FORBIDDEN, 'forbidden');
  }

  ended(why: 'expired' | 'revoked'): void {
    if (why === 'expired') this.close(CLOSE_CODES.CREDENTIALS_EXPIRED, 'credentials expired');
    else this.close(CLOSE_CODES.CREDENTIALS_REVOKED, 'credentials revoked');
  }

  /** Does not wait for the peer. */
  terminate(): void {
    this.#stop();
    this.#ws.terminate();
  }

  /** The client may connect again and resume. */
  tooSlow(): void {
    this.logger.warn({ unsent: this.#socket.writableLength }, 'the client reads too slowly');
    this.close(CLOSE_CODES.TOO_SLOW, 'too slow, resume');
  }

  pauseReading(why: Pause = 'handlers'): void {
    if (this.#closeCode !== undefined) return;
    if (this.#paused === 0) this.#ws.pause();
    this.#paused |= PAUSES[why];
  }

  resumeReading(why: Pause = 'handlers'): void {
    this.#resume(PAUSES[why]);
  }

  pauseAudio(): void {
    this.pauseReading('audio');
  }

  resumeAudio(): void {
    this.resumeReading('audio');
  }

  #resume(reasons: number): void {
    if (this.#paused === 0) return;
    this.#paused &= ~reasons;
    if (this.#paused === 0) this.#ws.resume();
  }

  takeAudio(bytes: Buffer): void {
    if (this.#audio?.write(bytes)) return;
    // It belongs to nothing, so it is a message like others.
    if (this.#rate && !this.#rate.take()) this.#overRate(this.#rate, '');
    else {
      this.#dispatch.refuse('', new ApiError('INVALID_MESSAGE_TYPE', STRAY_AUDIO));
    }
  }

  audioFailed(error: ApiError, messageId: MessageId | undefined): void {
    this.#dispatch.fail(error, messageId, 'audio_begin');
  }

  ping(): void {
    // Forgets the pings that were answered.
    this.#unanswered = this.unanswered + 1;
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  /** Any byte is a sign of life: a large message may take longer than the heartbeat. Nobody hears one while not reading. */
  get unanswered(): number {
    const { bytesRead } = this.#socket;
    if (bytesRead !== this.#bytesRead || this.#paused !== 0) this.#unanswered = 0;
    this.#bytesRead = bytesRead;
    return this.#unanswered;
  }

  get bytesTaken(): number {
    return bytesTaken(this.#socket);
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#closeCode !== undefined) return;
    if (isBinary) {
      this.#slowDown(this.#rate?.spend((data as Buffer).length) ?? 0);
      this.#dispatch.receiveAudio(data as Buffer);
      return;
    }
    const text = data.toString();
    if (this.#rate && !this.#rate.take()) this.#overRate(this.#rate, text);
    else this.#dispatch.receive(text);
  }

  /** Reads nothing for so long. */
  #slowDown(seconds: number): void {
    if (seconds === 0) return;
    this.pauseReading('rate');
    if (this.#throttle) clearTimeout(this.#throttle);
    this.#throttle = setTimeout(() => this.resumeReading('rate'), seconds * 1000);
  }

  #overRate(rate: MessageRate, text: string): void {
    if (!rate.forgive()) {
      this.close(CLOSE_CODES.TOO_MANY_MESSAGES, 'too many messages');
      return;
    }
    const { websocketMessageRate: limit } = this.#owner.services.config.values;
    this.#dispatch.refuse(
      text,
      new ApiError('RATE_LIMITED', `At most ${limit} messages a second; this one was dropped`),
    );
  }

  #drained(): void {
    this.#owner.unblocked(this);
    this.#events?.resume();
  }

  #stop(): void {
    this.#stopped = true;
    this.#events?.close();
    this.#dispatch.close();
    this.#audio?.close();
    if (this.#throttle) clearTimeout(this.#throttle);
  }

  /** The library answers a violation of the protocol by itself: it closes with 1002, 1007, 1008 or 1009. */
  #broken(error: Error): void {
    this.logger.debug({ err: error }, 'socket error');
    this.#stop();
  }

  #closed(code: number): void {
    const { logger, metrics } = this.#owner.services;
    if (logger.isLevelEnabled('debug')) this.logger.debug({ code }, 'connection closed');
    this.#stop();
    metrics.socketClosed(this.#closeCode);
    this.#owner.closed(this);
  }
}
