import type { Answer, AnswerOutcome } from '@llmgine/protocol/wire';
import { type ChangeOptions, once, type PageOptions, sessionPath } from './sessions.ts';
import type { Transport } from './transport.ts';
import type { RequestPage } from './types.ts';

/** What runs ask people. Every method rejects with `LlmgineError`. */
export class Requests {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Newest first. */
  list(
    sessionId: string,
    options: PageOptions & { readonly cursor?: string; readonly status?: 'pending' | 'resolved' } = {},
  ): Promise<RequestPage> {
    const { signal, ...query } = options;
    return this.#transport.json('GET', `${sessionPath(sessionId)}/requests`, { query, signal });
  }

  /** The first answer counts. */
  answer(
    sessionId: string,
    requestId: string,
    answer: Answer,
    options: ChangeOptions = {},
  ): Promise<{ request_id: string; outcome: AnswerOutcome }> {
    const path = `${sessionPath(sessionId)}/requests/${encodeURIComponent(requestId)}`;
    return this.#transport.json('POST', path, { body: answer, ...once(options) });
  }
}
