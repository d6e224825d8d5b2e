import type { Info } from '@llmgine/protocol/wire';
import { type ConnectionTimes, DEFAULT_TIMES } from './connection/connection.ts';
import type { WebSocketConstructor } from './connection/types.ts';
import { Credentials, type TokenSource } from './credentials.ts';
import { type ReportError, reportToPlatform } from './report.ts';
import { Admin } from './rest/admin.ts';
import { Auth } from './rest/auth.ts';
import { Files } from './rest/files.ts';
import { Requests } from './rest/requests.ts';
import { Runs } from './rest/runs.ts';
import { type CallOptions, Sessions } from './rest/sessions.ts';
import { type RequestOptions, Transport } from './rest/transport.ts';
import type { EngineTypes } from './rest/types.ts';
import { DEFAULT_BOUNDS, type FeedBounds } from './run-feed.ts';
import { Session, type SessionOptions } from './session.ts';
import type { AnyMessages, MessageMap } from './typed.ts';

export interface ClientOptions {
  /** Of the server, for example `https://api.example`. Default: the page's own; where there is none, this machine. */
  readonly url?: string;
  /**
   * A key or a JWT, or what gets one. A callback is called when a token is needed first, when the server does not accept
   * the last one any more, and before a JWT expires.
   */
  readonly token?: TokenSource;
  /** With the cookie of a login: `csrf_token` of it, or null while nobody is logged in. */
  readonly csrfToken?: () => string | null;
  readonly fetch?: typeof globalThis.fetch;
  readonly WebSocket?: WebSocketConstructor;
  /** Headers of every REST call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** When cookies are sent. Default: to the page's own server. */
  readonly cookies?: 'include' | 'same-origin' | 'omit';
  /** Milliseconds until an answer begins, for each attempt of a REST call. Default 30 000. */
  readonly timeoutMs?: number;
  /** Milliseconds of waits, for those that want others. */
  readonly times?: Partial<ConnectionTimes>;
  /** How much of a run's events is kept for loops that are slow, or begin late. */
  readonly bounds?: Partial<FeedBounds>;
  /** Told what listeners throw. Default: as the platform does it with event listeners. */
  readonly onError?: ReportError;
}

const DEFAULT_URL = 'http://127.0.0.1:8000';
const TIMEOUT_MS = 30_000;

/**
 * A client of one server. It holds no connection itself: REST calls are single, and each session has its own.
 *
 *     const client = new LlmgineClient({ url: 'http://127.0.0.1:8000' });
 *     const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
 *     const session = client.session(session_id);
 *     console.log(await session.prompt('Hello').text);
 *     session.close();
 */
export class LlmgineClient<M extends MessageMap = AnyMessages> {
  readonly url: string;
  readonly sessions: Sessions;
  readonly runs: Runs;
  readonly requests: Requests;
  readonly files: Files;
  readonly auth: Auth;
  readonly admin: Admin;
  readonly #options: ClientOptions;
  readonly #credentials: Credentials;
  readonly #transport: Transport;
  readonly #open = new Set<Session<M>>();

  constructor(options: ClientOptions = {}) {
    this.#options = Object.freeze({ ...options });
    this.url = (options.url ?? pageOrigin() ?? DEFAULT_URL).replace(/\/+$/, '');
    this.#credentials = new Credentials(options.token, options.csrfToken);
    this.#transport = new Transport({
      url: this.url,
      credentials: this.#credentials,
      // Looked up for each call, and called without a receiver, which browsers refuse.
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      headers: { ...options.headers },
      credentialsMode: options.cookies ?? 'same-origin',
    });
    this.sessions = new Sessions(this.#transport);
    this.runs = new Runs(this.#transport);
    this.requests = new Requests(this.#transport);
    this.files = new Files(this.#transport);
    this.auth = new Auth(this.#transport);
    this.admin = new Admin(this.#transport);
  }

  /** A handle of a session. It connects when it is first needed. */
  session(id: string, options: SessionOptions = {}): Session<M> {
    const services = {
      transport: this.#transport,
      runs: this.runs,
      credentials: this.#credentials,
      WebSocket: this.#webSocket(),
      times: { ...DEFAULT_TIMES, ...this.#options.times },
      bounds: { ...DEFAULT_BOUNDS, ...this.#options.bounds },
      report: this.#options.onError ?? reportToPlatform,
    };
    const session = new Session<M>(id, services, this.sessions, options);
    session.onState((state) => {
      if (state === 'closed') this.#open.delete(session);
      else this.#open.add(session);
    });
    return session;
  }

  /** What engine types there are, with the schemas of their configuration and commands. */
  engines(options: CallOptions = {}): Promise<EngineTypes> {
    return this.#transport.json('GET', '/api/engines', options);
  }

  /** What the server is, and can do. */
  info(options: CallOptions = {}): Promise<Info> {
    return this.#transport.json('GET', '/api/info', options);
  }

  /** Any call of the REST API, with credentials, repeating and errors as all others have them. */
  request<T = unknown>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    return this.#transport.json<T>(method.toUpperCase(), path, options);
  }

  /** The same, with the answer as it comes. */
  response(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    return this.#transport.response(method.toUpperCase(), path, options);
  }

  /** Closes all sessions that are connected, or try to be. */
  close(): void {
    for (const session of [...this.#open]) session.close();
  }

  #webSocket(): WebSocketConstructor {
    const given = this.#options.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket;
    if (!given) throw new TypeError('There is no WebSocket here: give one to the client');
    return given as WebSocketConstructor;
  }
}

function pageOrigin(): string | undefined {
  const { location } = globalThis as { location?: { readonly origin?: string } };
  return location?.origin?.startsWith('http') ? location.origin : undefined;
}
