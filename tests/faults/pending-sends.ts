/** What a client has sent and nobody has answered yet, in the order in which it was sent first. */
import { ERRORS, type ErrorCode } from '@llmgine/protocol';
import type { OpenOperation, Operation } from './history.ts';

export interface Reply {
  readonly type: string;
  readonly message_id?: string | number;
  // biome-ignore lint/suspicious/noExplicitAny: replies of every kind.
  readonly data: any;
}

/** What a reply means: the answer, or undefined when another one follows. */
export type Settle<T> = (reply: Reply, operation: OpenOperation) => T | undefined;

/** It was refused for good. */
export class Refused extends Error {
  readonly code: string;
  /** False when an earlier time of sending it may have had the effect. */
  readonly isCertain: boolean;

  constructor(code: string, message: string, isCertain: boolean) {
    super(`${code}: ${message}`);
    this.name = 'Refused';
    this.code = code;
    this.isCertain = isCertain;
  }
}

/** The same answer again is accepted again, so these are about the answer of somebody else. */
const OTHERS_WERE_FIRST: ReadonlySet<string> = new Set(['REQUEST_ALREADY_ANSWERED', 'REQUEST_EXPIRED']);

/** Ends an operation that was sent so often. Sent before, it may have been the first time that had the effect. */
export function refuse(open: OpenOperation, sent: number, code: string, message: string): Refused {
  const isCertain = sent === 1 || saysWhoWasFirst(open.operation, code);
  if (isCertain) open.failed(code);
  else open.unknown();
  return new Refused(code, message, isCertain);
}

function saysWhoWasFirst({ kind }: Operation, code: string): boolean {
  return kind === 'answer' && OTHERS_WERE_FIRST.has(code);
}

interface Pending {
  readonly frame: object;
  readonly operation: OpenOperation;
  /** True when it is over. */
  readonly onReply: (reply: Reply) => boolean;
  readonly reject: (error: Error) => void;
  sent: number;
  /** Since when it is refused for the moment. */
  refusedSince: number | null;
}

export class PendingSends {
  readonly #pending = new Map<string, Pending>();
  readonly #later: (what: () => void) => void;
  readonly #patienceMs: number;
  #out: ((frame: object) => void) | null = null;
  #closed: Error | null = null;
  #count = 0;

  /** `later`: when to try again what was refused for the moment; `patienceMs`: for how long. */
  constructor(later: (what: () => void) => void, patienceMs: number) {
    this.#later = later;
    this.#patienceMs = patienceMs;
  }

  /** Sends it as soon as there is a connection, and again on each connection until it is answered. */
  add<T>(frame: object, operation: OpenOperation, settle: Settle<T>): Promise<T> {
    const messageId = `send ${++this.#count}`;
    const settled = new Promise<T>((resolve, reject) => {
      const pending: Pending = {
        frame: { message_id: messageId, ...frame },
        operation,
        reject,
        sent: 0,
        refusedSince: null,
        onReply: (reply) => {
          if (reply.type === 'error') return this.#refused(pending, reply.data);
          const answer = settle(reply, operation);
          if (answer === undefined) return false;
          resolve(answer);
          return true;
        },
      };
      if (this.#closed) {
        giveUp(pending, this.#closed);
        return;
      }
      this.#pending.set(messageId, pending);
      this.#send(pending);
    });
    // Who does not wait for it learns of it from the history.
    settled.catch(() => {});
    return settled;
  }

  /** There is a connection: sends everything again. */
  connected(out: (frame: object) => void): void {
    this.#out = out;
    for (const pending of this.#pending.values()) this.#send(pending);
  }

  disconnected(): void {
    this.#out = null;
  }

  onReply(reply: Reply): void {
    const { message_id: messageId } = reply;
    if (typeof messageId !== 'string') return;
    if (this.#pending.get(messageId)?.onReply(reply)) this.#pending.delete(messageId);
  }

  /** There will be no connection any more. */
  close(reason: Error): void {
    this.#closed = reason;
    this.#out = null;
    for (const pending of this.#pending.values()) giveUp(pending, reason);
    this.#pending.clear();
  }

  #send(pending: Pending): void {
    if (!this.#out) return;
    pending.sent++;
    this.#out(pending.frame);
  }

  #refused(pending: Pending, { code, message }: { code: string; message: string }): boolean {
    const now = performance.now();
    pending.refusedSince ??= now;
    if (ERRORS[code as ErrorCode]?.retryable && now - pending.refusedSince < this.#patienceMs) {
      pending.operation.deferred();
      this.#later(() => this.#send(pending));
      return false;
    }
    pending.reject(refuse(pending.operation, pending.sent, code, message));
    return true;
  }
}

function giveUp({ sent, operation, reject }: Pending, reason: Error): void {
  if (sent === 0) operation.failed('never sent');
  else operation.unknown();
  reject(reason);
}
