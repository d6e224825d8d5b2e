import { OPERATOR } from '../../packages/server/src/security/principal.ts';
import type { TestApp } from './app.ts';
import { type Answer, call } from './rest.ts';
import { TestStream } from './sse-client.ts';
import { TestSocket } from './ws-client.ts';

type NewKey = Parameters<TestApp['app']['services']['keys']['service']['create']>[1];

/** Somebody with a key. */
export interface Person {
  readonly url: string;
  readonly key: string;
  readonly keyId: string;
  readonly principalId: string;
  readonly headers: Record<string, string>;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  createSession(body?: object): Promise<string>;
  connect(sessionId: string): Promise<TestSocket>;
  /** The events of a session as they come. */
  follow(sessionId: string): Promise<TestStream>;
}

/** Makes a key; what is not said is as the server makes it: a new principal that is a `user`. */
export async function person(
  { app, url, wsUrl }: Pick<TestApp, 'app' | 'url' | 'wsUrl'>,
  options: Partial<NewKey> = {},
): Promise<Person> {
  const made = await app.services.keys.service.create(OPERATOR, { name: 'a test', ...options });
  const headers = { authorization: `Bearer ${made.key}` };
  const request = (method: string, path: string, body?: unknown, more: Record<string, string> = {}) =>
    call(method, `${url}${path}`, body, { ...headers, ...more });
  return {
    url,
    key: made.key,
    keyId: made.id,
    principalId: made.principal_id,
    headers,
    call: request,
    async createSession(body) {
      const answer = await request('POST', '/api/sessions', body);
      if (answer.status !== 201) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body.session_id as string;
    },
    connect: (sessionId) => TestSocket.open(wsUrl(sessionId), { headers }),
    follow: (sessionId) => TestStream.open(`${url}/api/sessions/${sessionId}/events`, { headers }),
  };
}
