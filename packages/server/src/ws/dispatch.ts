/** From the text of a frame to the reply: parse, find the handler, validate, run it in its turn. */
import { ApiError, clientEnvelopeSchema, type MessageId } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { ClientConnection, HandlerContext, MessageHandler, OutgoingFrame } from '../handlers/types.ts';
import type { Services } from '../services.ts';
import type { SessionKey } from '../storage/types.ts';
import { parseWith } from '../validation.ts';

/** Frames that may wait for the handler before them; then the socket is not read any more. */
const MAX_WAITING = 64;

/** What dispatch needs of the connection. */
export interface DispatchTarget extends ClientConnection {
  readonly key: SessionKey;
  readonly logger: Logger;
  sendReply(messageId: MessageId | undefined, type: string, data: object): void;
  pauseReading(): void;
  resumeReading(): void;
}

interface Task {
  readonly handler: MessageHandler;
  readonly data: unknown;
  readonly messageId: MessageId | undefined;
}

export class Dispatch {
  readonly #services: Services;
  readonly #target: DispatchTarget;
  readonly #waiting: Task[] = [];
  readonly #closed = new AbortController();
  #busy = false;

  constructor(services: Services, target: DispatchTarget) {
    this.#services = services;
    this.#target = target;
  }

  /** One frame has come. Never throws. */
  receive(text: string): void {
    let task: Task;
    let messageId: MessageId | undefined;
    try {
      const envelope = parseEnvelope(text);
      messageId = envelope.message_id;
      const handler = this.#services.messages.get(envelope.type);
      if (!handler) {
        throw new ApiError('INVALID_MESSAGE_TYPE', `There is no message type "${envelope.type}"`);
      }
      task = { handler, data: parseWith(handler.schema, envelope.data, 'data', 'data'), messageId };
    } catch (error) {
      this.#fail(error, messageId ?? salvageMessageId(text), 'frame');
      return;
    }
    if (task.handler.unordered) this.#run(task);
    else if (this.#busy) this.#wait(task);
    else this.#runInTurn(task);
  }

  close(): void {
    this.#waiting.length = 0;
    this.#closed.abort(new Error('the connection is closed'));
  }

  #wait(task: Task): void {
    this.#waiting.push(task);
    if (this.#waiting.length === MAX_WAITING) this.#target.pauseReading();
  }

  /** Runs a handler and those that wait behind it; handlers that need no waiting cost no promise. */
  #runInTurn(first: Task): void {
    for (let task: Task | undefined = first; task; task = this.#waiting.shift()) {
      const running = this.#run(task);
      if (running) {
        this.#busy = true;
        void running.then(() => {
          this.#busy = false;
          const next = this.#waiting.shift();
          if (this.#waiting.length === MAX_WAITING - 1) this.#target.resumeReading();
          if (next) this.#runInTurn(next);
        });
        return;
      }
    }
  }

  /** Undefined when the handler is done already. The promise never rejects. */
  #run(task: Task): Promise<void> | undefined {
    const { handler, messageId } = task;
    if (handler.touches) this.#services.sessions.touch(this.#target.key);
    const controller = new AbortController();
    try {
      const result = handler.handle(task.data, this.#context(task, controller.signal));
      if (result instanceof Promise) return this.#finish(task, result, controller);
      this.#answer(result, messageId);
    } catch (error) {
      this.#fail(error, messageId, handler.type);
    }
    return undefined;
  }

  async #finish(
    task: Task,
    work: Promise<OutgoingFrame | undefined>,
    controller: AbortController,
  ): Promise<void> {
    const seconds = this.#services.config.values.handlerTimeout;
    const over = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      over.reject(
        new ApiError('WEBSOCKET_ERROR', `"${task.handler.type}" took longer than ${seconds} seconds`),
      );
    }, seconds * 1000);
    const closed = () => over.reject(this.#closed.signal.reason);
    this.#closed.signal.addEventListener('abort', closed, { once: true });
    try {
      this.#answer(await Promise.race([work, over.promise]), task.messageId);
    } catch (error) {
      controller.abort(error);
      if (!this.#closed.signal.aborted) this.#fail(error, task.messageId, task.handler.type);
      // When it lost the race, how it ends is no news.
      work.catch(() => {});
    } finally {
      clearTimeout(timer);
      this.#closed.signal.removeEventListener('abort', closed);
    }
  }

  #answer(frame: OutgoingFrame | undefined, messageId: MessageId | undefined): void {
    if (frame) this.#target.sendReply(messageId, frame.type, frame.data);
  }

  /** Tells the client in the words of the error table; what it may not see goes to the log only. */
  #fail(error: unknown, messageId: MessageId | undefined, where: string): void {
    const known = error instanceof ApiError;
    const apiError = known ? error : new ApiError('WEBSOCKET_ERROR');
    this.#services.metrics.error(apiError.code);
    if (!known) this.#target.logger.error({ err: error, where }, 'handler failed');
    else if (error.cause) this.#target.logger.warn({ err: error, where }, 'handler failed');
    const debug = this.#services.config.values.debug ? detailsOf(error) : undefined;
    this.#target.sendReply(messageId, 'error', {
      code: apiError.code,
      message: apiError.message,
      ...(apiError.errors ? { errors: apiError.errors } : {}),
      ...(apiError.retryAfter === undefined ? {} : { retry_after: apiError.retryAfter }),
      ...(debug === undefined ? {} : { details: debug }),
    });
  }

  #context(task: Task, signal: AbortSignal): HandlerContext {
    const target = this.#target;
    const services = this.#services;
    return {
      connection: target,
      principal: target.principal,
      sessionId: target.sessionId,
      session: target.key,
      services,
      messageId: task.messageId,
      signal,
      logger: target.logger,
      loadSession: () => services.sessions.get(target.principal, target.sessionId),
      reply: (type, data) => target.sendReply(task.messageId, type, data),
    };
  }
}

function parseEnvelope(text: string) {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ApiError('INVALID_JSON');
  }
  return parseWith(clientEnvelopeSchema, json, 'The message');
}

/** An error repeats the request's `message_id` even when the rest of the envelope was wrong. */
function salvageMessageId(text: string): MessageId | undefined {
  try {
    const { message_id: id } = JSON.parse(text) as { message_id?: unknown };
    if (typeof id === 'number' || (typeof id === 'string' && id.length <= 255)) return id;
  } catch {
    // Not JSON, or null: there is no id to repeat.
  }
  return undefined;
}

function detailsOf(error: unknown): string | undefined {
  const inner = error instanceof ApiError ? error.cause : error;
  if (inner === undefined) return undefined;
  return inner instanceof Error ? `${inner.name}: ${inner.message}` : String(inner);
}
