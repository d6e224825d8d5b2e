/** One turn of a handler: what it sees, and the end of its time. */
import { ApiError, type MessageId } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { HandlerContext, MessageHandler, OutgoingFrame } from '../handlers/types.ts';
import type { Principal } from '../security/principal.ts';
import type { Services } from '../services.ts';
import type { SessionKey } from '../storage/types.ts';
import type { DispatchTarget } from './dispatch.ts';

/** A frame that has its handler and is valid. */
export interface Task {
  readonly handler: MessageHandler;
  readonly data: unknown;
  readonly messageId: MessageId | undefined;
}

export class Turn {
  readonly task: Task;
  readonly #services: Services;
  readonly #target: DispatchTarget;
  /** Why it is over before the handler was done. */
  #reason: Error | null = null;
  #stopped: ((reason: Error) => void) | null = null;
  /** Made when a handler looks at it; most never do. */
  #controller: AbortController | null = null;

  constructor(task: Task, services: Services, target: DispatchTarget) {
    this.task = task;
    this.#services = services;
    this.#target = target;
  }

  get context(): HandlerContext {
    return new TurnContext(this, this.#services, this.#target);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Does nothing once it was stopped: the message has had its answer. */
  reply(frame: OutgoingFrame | undefined): void {
    if (frame && !this.#reason) this.#target.sendReply(this.task.messageId, frame.type, frame.data);
  }

  /** Whatever the handler still does goes nowhere from now on. */
  stop(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#stopped?.(reason);
  }

  /** Settles like the work, unless the turn is stopped or its time is over before: then it rejects with the reason. */
  async within(
    work: Promise<OutgoingFrame | undefined>,
    seconds: number,
  ): Promise<OutgoingFrame | undefined> {
    const stopped = new Promise<never>((_, reject) => {
      this.#stopped = reject;
    });
    const timer = setTimeout(() => {
      this.stop(
        new ApiError('WEBSOCKET_ERROR', `"${this.task.handler.type}" took longer than ${seconds} seconds`),
      );
    }, seconds * 1000);
    // When it loses the race, how it ends is no news.
    work.catch(() => {});
    try {
      return await Promise.race([work, stopped]);
    } finally {
      clearTimeout(timer);
      this.#stopped = null;
    }
  }
}

/** Every message makes one: what few handlers look at costs nothing until they do. */
class TurnContext implements HandlerContext {
  readonly connection: DispatchTarget;
  readonly services: Services;
  readonly #turn: Turn;

  constructor(turn: Turn, services: Services, target: DispatchTarget) {
    this.connection = target;
    this.services = services;
    this.#turn = turn;
  }

  get principal(): Principal {
    return this.connection.principal;
  }

  get sessionId(): string {
    return this.connection.sessionId;
  }

  get session(): SessionKey {
    return this.connection.key;
  }

  get messageId(): MessageId | undefined {
    return this.#turn.task.messageId;
  }

  get signal(): AbortSignal {
    return this.#turn.signal;
  }

  get logger(): Logger {
    return this.connection.logger;
  }

  // Handlers take these two out of their context, so they are no methods.
  get loadSession(): HandlerContext['loadSession'] {
    return () => this.services.sessions.get(this.principal, this.sessionId);
  }

  get reply(): HandlerContext['reply'] {
    return (type, data) => this.#turn.reply({ type, data });
  }
}
