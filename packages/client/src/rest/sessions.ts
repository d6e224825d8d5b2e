import type {
  CreateSessionBody,
  ForkSessionBody,
  LinkedEngine,
  SessionDetail,
  SessionForked,
  SessionList,
  SessionUsage,
} from '@llmgine/protocol/wire';
import { uuid } from '../ids.ts';
import type { Transport } from './transport.ts';
import type { EngineDetail, EventPage, ListSessionsOptions, MessagePage, SessionCreated } from './types.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
}
/** Of calls that change something. */
export interface ChangeOptions extends CallOptions {
  /** Makes it happen once, also when it is called again after a restart of the caller. Default: a random one. */
  readonly idempotencyKey?: string;
}
export interface PageOptions extends CallOptions {
  /** 1 to 100; default 100. */
  readonly limit?: number;
}

/** Node cancels the stream of a response that is collected as garbage, though somebody is about to read it. */
const RESPONSES = new WeakMap<ReadableStream, Response>();

/** The sessions of the caller. Every method rejects with `LlmgineError`. */
export class Sessions {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(body: CreateSessionBody = {}, options: ChangeOptions = {}): Promise<SessionCreated> {
    return this.#transport.json('POST', '/api/sessions', { body, ...once(options) });
  }

  list(options: ListSessionsOptions & CallOptions = {}): Promise<SessionList> {
    const { signal, metadata = {}, ...rest } = options;
    const named = Object.entries(metadata).map(([key, value]) => [`metadata.${key}`, value]);
    return this.#transport.json('GET', '/api/sessions', {
      query: { ...rest, ...Object.fromEntries(named) },
      signal,
    });
  }

  /** All sessions, page by page as they are asked for. */
  async *all(options: ListSessionsOptions & CallOptions = {}) {
    for (let cursor: string | null | undefined = options.cursor; cursor !== null; ) {
      const page: SessionList = await this.list({ ...options, ...(cursor === undefined ? {} : { cursor }) });
      yield* page.sessions;
      cursor = page.next;
    }
  }

  get(sessionId: string, options: CallOptions = {}): Promise<SessionDetail> {
    return this.#transport.json('GET', sessionPath(sessionId), options);
  }

  /** With its messages and files, for good. */
  delete(sessionId: string, options: ChangeOptions = {}): Promise<{ message: string }> {
    return this.#transport.json('DELETE', sessionPath(sessionId), once(options));
  }

  /** What its runs have used together; null until a model was called. */
  async usage(sessionId: string, options: CallOptions = {}): Promise<SessionUsage | null> {
    return (await this.get(sessionId, options)).usage ?? null;
  }

  /** A copy that goes on by itself, of the messages up to `at`, which is the last of a run; default: of all. */
  fork(sessionId: string, body: ForkSessionBody = {}, options: ChangeOptions = {}): Promise<SessionForked> {
    return this.#transport.json('POST', `${sessionPath(sessionId)}/fork`, { body, ...once(options) });
  }

  /** JSON Lines: the session, its messages, its events. As they come, for `import` or a file. */
  async export(sessionId: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const headers = { accept: 'application/jsonl, application/problem+json' };
    const path = `${sessionPath(sessionId)}/export`;
    const response = await this.#transport.response('GET', path, { ...options, headers });
    const stream = response.body ?? new Blob([]).stream();
    RESPONSES.set(stream, response);
    return stream;
  }

  /** A new session from what `export` gave. */
  import(jsonLines: NonNullable<RequestInit['body']>, options: CallOptions = {}): Promise<SessionCreated> {
    return this.#transport.json('POST', '/api/sessions/import', {
      content: { type: 'application/jsonl', body: jsonLines },
      timeoutMs: 0,
      ...options,
    });
  }

  /** The newest messages, oldest first; `before` is `next` of the page after them. */
  messages(
    sessionId: string,
    options: PageOptions & { readonly before?: string } = {},
  ): Promise<MessagePage> {
    const { signal, ...query } = options;
    return this.#transport.json('GET', `${sessionPath(sessionId)}/messages`, { query, signal });
  }

  /** Events after a cursor; without one from the first that is kept. */
  events(sessionId: string, options: PageOptions & { readonly after?: string } = {}): Promise<EventPage> {
    const { signal, ...query } = options;
    return this.#transport.json('GET', `${sessionPath(sessionId)}/events`, { query, signal });
  }

  engine(sessionId: string, options: CallOptions = {}): Promise<EngineDetail> {
    return this.#transport.json('GET', `${sessionPath(sessionId)}/engine`, options);
  }

  link(
    sessionId: string,
    engineType: string,
    engineConfig: object = {},
    options: ChangeOptions = {},
  ): Promise<LinkedEngine> {
    const body = { engine_type: engineType, engine_config: engineConfig };
    return this.#transport.json('PUT', `${sessionPath(sessionId)}/engine`, { body, ...once(options) });
  }

  unlink(sessionId: string, options: ChangeOptions = {}): Promise<{ engine_id: string }> {
    return this.#transport.json('DELETE', `${sessionPath(sessionId)}/engine`, once(options));
  }

  /** What opens one WebSocket of the session, for those who make their own. */
  ticket(sessionId: string, options: CallOptions = {}): Promise<{ ticket: string; expires_at: string }> {
    return this.#transport.json('POST', `${sessionPath(sessionId)}/tickets`, options);
  }
}

export function sessionPath(sessionId: string): string {
  return `/api/sessions/${encodeURIComponent(sessionId)}`;
}

/** A call that is repeated when its answer is lost, and has its effect once. */
export function once({ signal, idempotencyKey = uuid() }: ChangeOptions) {
  return { signal, idempotencyKey };
}
