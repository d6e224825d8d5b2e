/** From the text of a frame to the reply: parse, find the handler, validate, run it in its turn. */
import { ApiError, type MessageId } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { ClientConnection, MessageHandler } from '../handlers/types.ts';
import { refusalEvent } from '../security/audit/refusal.ts';
import { demand, type Permission } from '../security/permissions.ts';
import type { Services } from '../services.ts';
import type { SessionKey } from '../storage/types.ts';
import { parseWith } from '../validation.ts';
import { parseEnvelope, salvageMessageId } from './envelope.ts';
import { type Task, Turn } from './turn.ts';

/** What a page does by itself, whether somebody sits before it or not. */
const LOOKING_ON: ReadonlySet<Permission | null> = new Set([null, 'info:read', 'sessions:read'] as const);

/** Frames that may wait for handlers; then the socket is not read any more. What was read already still counts. */
const MAX_WAITING = 64;
/** The same for bytes of audio. */
const MAX_WAITING_AUDIO = 262_144;

/** What dispatch needs of the connection. */
export interface DispatchTarget extends ClientConnection {
  readonly key: SessionKey;
  readonly logger: Logger;
  sendReply(messageId: MessageId | undefined, type: string, data: object): void;
  /** A frame of audio has its turn. */
  takeAudio(bytes: Buffer): void;
  pauseReading(): void;
  resumeReading(): void;
}

export class Dispatch {
  readonly #services: Services;
  readonly #target: DispatchTarget;
  readonly #waiting: (Task | Buffer)[] = [];
  #waitingAudio = 0;
  /** Turns that are not done. At most one of them is of an ordered handler. */
  readonly #turns = new Set<Turn>();
  /** An ordered handler has its turn. */
  #busy = false;
  #closed = false;

  constructor(services: Services, target: DispatchTarget) {
    this.#services = services;
    this.#target = target;
  }

  /** One frame has come. Never throws. */
  receive(text: string): void {
    if (this.#closed) return;
    const task = this.#read(text);
    if (!task) return;
    if (task.handler.unordered) {
      void this.#run(task)?.then(() => this.#resume());
      this.#pause();
    } else if (this.#busy) {
      this.#waiting.push(task);
      this.#pause();
    } else {
      this.#runInTurn(task);
    }
  }

  /** Bytes of audio have come: they wait for the handlers before them, too. Never throws. */
  receiveAudio(bytes: Buffer): void {
    if (this.#closed) return;
    if (this.#busy) {
      this.#waiting.push(bytes);
      this.#waitingAudio += bytes.length;
      this.#pause();
    } else {
      this.#target.takeAudio(bytes);
    }
  }

  /** Answers a frame with an error instead of handling it. */
  refuse(text: string, error: ApiError): void {
    this.fail(error, salvageMessageId(text), 'frame');
  }

  /** Frames that wait are dropped, handlers that run are told. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.length = 0;
    this.#waitingAudio = 0;
    for (const turn of this.#turns) turn.stop(new Error('the connection is closed'));
  }

  #read(text: string): Task | undefined {
    let messageId: MessageId | undefined;
    try {
      const envelope = parseEnvelope(text);
      messageId = envelope.message_id;
      const handler = this.#services.messages.get(envelope.type);
      if (!handler) {
        throw new ApiError('INVALID_MESSAGE_TYPE', `There is no message type "${envelope.type}"`);
      }
      this.#demand(handler);
      return { handler, data: parseWith(handler.schema, envelope.data, 'data', 'data'), messageId };
    } catch (error) {
      this.fail(error, messageId ?? salvageMessageId(text), 'frame');
      return undefined;
    }
  }

  #demand({ permission, type }: MessageHandler): void {
    if (permission === null) return;
    const { principal, remoteAddress: address } = this.#target;
    try {
      demand(principal, permission);
    } catch (error) {
      const source = { address, transport: 'websocket', requestId: null } as const;
      const event = refusalEvent(error, { source, principal, operation: `message ${type}` });
      if (event) this.#services.audit.record(event);
      throw error;
    }
  }

  get #full(): boolean {
    return this.#waiting.length + this.#turns.size >= MAX_WAITING || this.#waitingAudio > MAX_WAITING_AUDIO;
  }

  #pause(): void {
    if (this.#full) this.#target.pauseReading();
  }

  #resume(): void {
    if (!this.#full) this.#target.resumeReading();
  }

  /** Runs a handler and those that wait behind it; handlers that need no waiting cost no promise. */
  #runInTurn(first: Task | Buffer): void {
    for (let task: Task | Buffer | undefined = first; task; task = this.#next()) {
      if (Buffer.isBuffer(task)) {
        this.#target.takeAudio(task);
        continue;
      }
      const running = this.#run(task);
      if (!running) continue;
      this.#busy = true;
      void running.then(() => {
        this.#busy = false;
        const next = this.#next();
        if (next) this.#runInTurn(next);
        this.#resume();
      });
      return;
    }
  }

  #next(): Task | Buffer | undefined {
    const next = this.#waiting.shift();
    if (Buffer.isBuffer(next)) this.#waitingAudio -= next.length;
    return next;
  }

  /** Undefined when the handler is done already. The promise never rejects. */
  #run(task: Task): Promise<void> | undefined {
    const { handler } = task;
    const turn = new Turn(task, this.#services, this.#target);
    try {
      // Again: what was allowed when it came may not be any more when its turn has come.
      this.#demand(handler);
      if (handler.touches) this.#services.sessions.touch(this.#target.key);
      if (!LOOKING_ON.has(handler.permission)) this.#services.browserSessions.used(this.#target.principal);
      const result = handler.handle(task.data, turn.context);
      if (result instanceof Promise) return this.#finish(turn, result);
      turn.reply(result);
    } catch (error) {
      this.fail(error, task.messageId, handler.type);
    }
    return undefined;
  }

  async #finish(turn: Turn, work: ReturnType<Turn['within']>): Promise<void> {
    this.#turns.add(turn);
    try {
      turn.reply(await turn.within(work, this.#services.config.values.handlerTimeout));
    } catch (error) {
      if (!this.#closed) this.fail(error, turn.task.messageId, turn.task.handler.type);
    } finally {
      this.#turns.delete(turn);
    }
  }

  /** Tells the client in the words of the error table; what it may not see goes to the log only. */
  fail(error: unknown, messageId: MessageId | undefined, where: string): void {
    const known = error instanceof ApiError;
    const apiError = known ? error : new ApiError('WEBSOCKET_ERROR');
    this.#services.metrics.error(apiError.code);
    if (!known) this.#target.logger.error({ err: error, where }, 'handler failed');
    else if (error.cause) this.#target.logger.warn({ err: error, where }, 'handler failed');
    const details = this.#services.config.details(known ? error.cause : error);
    this.#target.sendReply(messageId, 'error', {
      code: apiError.code,
      message: apiError.message,
      ...(apiError.errors ? { errors: apiError.errors } : {}),
      ...(apiError.retryAfter === undefined ? {} : { retry_after: apiError.retryAfter }),
      ...(details === undefined ? {} : { details }),
    });
  }
}
