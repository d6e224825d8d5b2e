/** An answer to a request of a session over REST, by somebody who does not give up. */
import { randomUUID } from 'node:crypto';
import { setTimeout as later } from 'node:timers/promises';
import { type Answer, ERRORS, type ErrorCode } from '@llmgine/protocol';
import { call } from '../helpers/rest.ts';
import type { OpenOperation } from './history.ts';
import { refuse } from './pending-sends.ts';
import type { Random } from './random.ts';

/** Milliseconds between two attempts at most. */
const MAX_BACKOFF = 50;

export interface RestAnswerOptions {
  /** Of the request; asked for each attempt. */
  readonly url: () => string;
  readonly operation: OpenOperation;
  readonly random: Random;
  /** Milliseconds after which it gives up. */
  readonly patienceMs: number;
}

/** Sent again until somebody says how it went, with one `Idempotency-Key` or none. Rejects with `Refused`. */
export async function answerOverRest(answer: Answer, options: RestAnswerOptions): Promise<void> {
  const { url, operation, random, patienceMs } = options;
  const headers = random.chance(0.5) ? { 'idempotency-key': randomUUID() } : {};
  const began = performance.now();
  for (let sent = 1; ; sent++) {
    const reply = await call('POST', url(), answer, headers).catch(() => null);
    if (reply?.status === 200) {
      operation.ok({ outcome: reply.body.outcome });
      return;
    }
    const { code = '', detail = '' } = reply?.body ?? {};
    if (reply && !ERRORS[code as ErrorCode]?.retryable) throw refuse(operation, sent, code, detail);
    if (performance.now() - began > patienceMs) {
      operation.unknown();
      throw new Error(`${url()} has not answered for ${patienceMs} ms`);
    }
    await later(random.int(1, MAX_BACKOFF));
  }
}
