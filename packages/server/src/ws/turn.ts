/** One turn of a handler: what it sees, and the end of its time. */
import { ApiError, type MessageId } from '@llmgine/protocol';
import type { HandlerContext, MessageHandler, OutgoingFrame } from '../handlers/types.ts';
import type { Services } from '../services.ts';
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
    const services = this.#services;
    const target = this.#target;
    const { messageId } = this.task;
    const signal = () => this.#signal();
    return {
      connection: target,
      principal: target.principal,
      sessionId: target.sessionId,
      session: target.key,
      services,
      messageId,
      get signal() {
        return signal();
      },
      get logger() {
        return target.logger;
      },
      loadSession: () => services.sessions.get(target.principal, target.sessionId),
      reply: (type, data) => this.reply({ type, data }),
    };
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

  #signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }
}
