import type { TestApp } from './app.ts';
import { type Answer, call } from './rest.ts';
import { TestStream } from './sse-client.ts';
import { TestSocket } from './ws-client.ts';

type Headers = Record<string, string>;

/** A browser: it keeps the cookie that it is given and sends it along, from whatever page. */
export class TestBrowser {
  readonly url: string;
  cookie: string | null = null;
  csrf: string | null = null;
  readonly #wsUrl: TestApp['wsUrl'];

  constructor({ url, wsUrl }: Pick<TestApp, 'url' | 'wsUrl'>) {
    this.url = url;
    this.#wsUrl = wsUrl;
  }

  async login(token: string, headers: Headers = {}): Promise<Answer> {
    const answer = await this.call('POST', '/api/auth/login', { token }, headers);
    if (answer.status === 200) this.csrf = answer.body.csrf_token as string | null;
    return answer;
  }

  logout(headers?: Headers): Promise<Answer> {
    return this.call('POST', '/api/auth/logout', undefined, headers);
  }

  /** As the console does it; what is given wins. */
  async call(method: string, path: string, body?: unknown, headers: Headers = {}): Promise<Answer> {
    const csrf = this.csrf === null ? {} : { 'x-csrf-token': this.csrf };
    const answer = await this.send(method, path, body, { ...this.own, ...csrf, ...headers });
    const [set] = answer.headers.getSetCookie();
    if (set !== undefined) {
      const value = set.slice(0, set.indexOf(';'));
      this.cookie = value.endsWith('=') ? null : value;
    }
    return answer;
  }

  /** With the cookie, and nothing else that is not given. */
  send(method: string, path: string, body?: unknown, headers: Headers = {}): Promise<Answer> {
    return call(method, `${this.url}${path}`, body, { ...this.cookies, ...headers });
  }

  async createSession(body?: object): Promise<string> {
    const answer = await this.call('POST', '/api/sessions', body);
    if (answer.status !== 201) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body.session_id as string;
  }

  connect(sessionId: string, headers: Headers = this.own): Promise<TestSocket> {
    return TestSocket.open(this.#wsUrl(sessionId), { headers: { ...this.cookies, ...headers } });
  }

  follow(sessionId: string, headers: Headers = { 'sec-fetch-site': 'same-origin' }): Promise<TestStream> {
    return TestStream.open(`${this.url}/api/sessions/${sessionId}/events`, {
      headers: { ...this.cookies, ...headers },
    });
  }

  get cookies(): Headers {
    return this.cookie === null ? {} : { cookie: this.cookie };
  }

  /** What a page of the server itself sends. */
  get own(): Headers {
    return { origin: this.url, 'sec-fetch-site': 'same-origin' };
  }
}
