/** HTTP: credentials, time, repeating what may be repeated, and problems as errors. */
import type { Problem } from '@llmgine/protocol/wire';
import type { Credentials } from '../credentials.ts';
import { LlmgineError } from '../errors.ts';

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface RequestOptions {
  readonly query?: Query | undefined;
  /** What JSON can say; see `content` for anything else. */
  readonly body?: unknown;
  /** A body as it is, with its media type. */
  readonly content?: { readonly type: string; readonly body: NonNullable<RequestInit['body']> };
  readonly headers?: Readonly<Record<string, string>>;
  /** The same key with the same body has its effect once: such a call is repeated when its answer is lost. */
  readonly idempotencyKey?: string | undefined;
  /** false: sends it once, whatever comes of it. */
  readonly repeat?: boolean | undefined;
  /** Rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for one attempt, until its answer begins; 0 for no limit. Default: that of the client. */
  readonly timeoutMs?: number | undefined;
}

export interface TransportOptions {
  readonly url: string;
  readonly credentials: Credentials;
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentialsMode: 'include' | 'same-origin' | 'omit';
}

/** How often a call that may be repeated is sent at most. */
const ATTEMPTS = 3;
const FIRST_WAIT_MS = 200;
/** Longer than this nobody waits without knowing. */
const MAX_WAIT_MS = 5_000;
const SAFE = new Set(['GET', 'HEAD']);

export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  /** The JSON of the answer; undefined when it has none. Rejects with `LlmgineError`. */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.response(method, path, options);
    const text = await read(response, options.signal);
    if (text === '') return undefined as T;
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new LlmgineError('INVALID_RESPONSE', `${method} ${path} was answered with no JSON`, {
        status: response.status,
        cause,
      });
    }
  }

  /** The answer itself, when it is good. Rejects with `LlmgineError`. */
  async response(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const once = options.repeat === false || isStream(options);
    const repeatable = !once && (SAFE.has(method) || options.idempotencyKey !== undefined);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#authorized(method, path, options);
      } catch (error) {
        if (!(error instanceof LlmgineError) || !repeatable || attempt >= ATTEMPTS) throw error;
        const wait = waitBefore(error, attempt);
        if (wait === null) throw error;
        await sleep(wait, options.signal);
      }
    }
  }

  /** With a token that was refused, once more with another one. */
  async #authorized(method: string, path: string, options: RequestOptions): Promise<Response> {
    const { credentials } = this.#options;
    const { signal } = options;
    // A callback may ask people, and take as long as they do.
    const token = await unlessAborted(credentials.token(), signal);
    try {
      return await this.#once(method, path, options, token);
    } catch (error) {
      if (!(error instanceof LlmgineError) || error.status !== 401 || !credentials.canRefresh) throw error;
      credentials.invalidate(token);
      if (isStream(options)) throw error;
      return this.#once(method, path, options, await unlessAborted(credentials.token(), signal));
    }
  }

  async #once(
    method: string,
    path: string,
    options: RequestOptions,
    token: string | null,
  ): Promise<Response> {
    const { fetch, credentialsMode } = this.#options;
    const { signal, timeoutMs = this.#options.timeoutMs } = options;
    const limit = new AbortController();
    const timer =
      timeoutMs > 0
        ? setTimeout(
            () => limit.abort(new LlmgineError('TIMEOUT', `No answer to ${method} ${path} in time`)),
            timeoutMs,
          )
        : undefined;
    let response: Response;
    try {
      response = await fetch(address(this.#options.url, path, options.query), {
        method,
        headers: this.#headers(method, options, token),
        credentials: credentialsMode,
        ...bodyOf(options),
        signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
      });
    } catch (cause) {
      signal?.throwIfAborted();
      if (limit.signal.aborted) throw limit.signal.reason;
      throw new LlmgineError('NETWORK_ERROR', `${this.#options.url} cannot be reached`, { cause });
    } finally {
      clearTimeout(timer);
    }
    if (response.ok) return response;
    throw await problemOf(response);
  }

  #headers(method: string, options: RequestOptions, token: string | null): Record<string, string> {
    const { credentials } = this.#options;
    const csrf = SAFE.has(method) ? null : credentials.csrfToken;
    const type = options.content?.type ?? (options.body === undefined ? null : 'application/json');
    return {
      accept: 'application/json, application/problem+json',
      ...this.#options.headers,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(csrf === null ? {} : { 'x-csrf-token': csrf }),
      ...(type === null ? {} : { 'content-type': type }),
      ...(options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey }),
      ...options.headers,
    };
  }
}

function address(url: string, path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length === 0 ? `${url}${path}` : `${url}${path}?${search}`;
}

function bodyOf({ body, content }: RequestOptions): Pick<RequestInit, 'body'> {
  if (content) {
    // A stream can be sent one way only, and says so.
    const duplex = isStream({ content }) ? { duplex: 'half' } : {};
    return { body: content.body, ...duplex };
  }
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

/** What was read of a stream is gone: it can be sent once. */
function isStream({ content }: RequestOptions): boolean {
  return content?.body instanceof ReadableStream;
}

/** Rejects with the reason of the signal, and leaves alone what was waited for. */
function unlessAborted<T>(value: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return value;
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

async function read(response: Response, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new LlmgineError('NETWORK_ERROR', 'The answer broke off', { status: response.status, cause });
  }
}

/** What the server says is wrong; of an answer that is no problem document, what its status says. */
async function problemOf(response: Response): Promise<LlmgineError> {
  const { status, headers } = response;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : null;
  const problem = await response.json().then(
    (body) => body as Partial<Problem>,
    () => ({}) as Partial<Problem>,
  );
  if (typeof problem.code !== 'string') {
    const code = status === 429 ? 'RATE_LIMITED' : status >= 500 ? 'UNAVAILABLE' : 'INVALID_RESPONSE';
    return new LlmgineError(code, `The server answered with status ${status}`, { status, retryAfterMs });
  }
  return new LlmgineError(problem.code, problem.detail ?? problem.title, {
    status,
    requestId: problem.request_id,
    fields: problem.errors,
    retryAfterMs,
  });
}

/** Milliseconds; null when repeating does not help. */
function waitBefore({ code, status, retryAfterMs }: LlmgineError, attempt: number): number | null {
  const isWorthIt =
    code === 'NETWORK_ERROR' || code === 'IDEMPOTENCY_IN_PROGRESS' || status === 503 || status === 429;
  if (!isWorthIt) return null;
  if (retryAfterMs !== null) return retryAfterMs <= MAX_WAIT_MS ? retryAfterMs : null;
  return Math.random() * FIRST_WAIT_MS * 2 ** attempt;
}

/** Rejects with the reason of the signal. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const aborted = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
