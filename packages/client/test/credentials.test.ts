/** How a client shows who it is, and what it does when that is not accepted any more. */
import type { RawFrame } from '@llmgine/client';
import { expect, test, vi } from 'vitest';
import { type StartOptions, startApp, type TestApp } from '../../../tests/helpers/app.ts';
import { type Person, person } from '../../../tests/helpers/people.ts';
import { hmacToken, withDefaults } from '../../../tests/helpers/tokens.ts';
import { OPERATOR } from '../../server/src/security/principal.ts';
import { Credentials, jwtExpiry } from '../src/credentials.ts';
import { stateOf, testClient } from './helpers.ts';
import { startWireServer } from './wire-server.ts';

const SECRET = 'a-secret-of-the-test-that-is-long-enough';
const ID = '00000000-0000-4000-8000-000000000000';

const startGuarded = (options: StartOptions = {}) =>
  startApp({ ...options, config: { auth: 'required', jwtSecret: SECRET, jwtLeeway: 0, ...options.config } });
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const token = (seconds: number) => {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  return hmacToken({ alg: 'HS256', typ: 'JWT' }, withDefaults({ exp }), SECRET);
};

/** The key is good for a moment more. */
async function expires({ app }: TestApp, { keyId }: Person): Promise<void> {
  await app.services.keys.service.change(OPERATOR, keyId, { expires_at: inSeconds(0.2) });
}

/** A WebSocket that remembers how it was opened. */
function recording() {
  const opened: { url: string; protocols: string[] }[] = [];
  class Recording extends WebSocket {
    constructor(url: string, protocols: string[] = []) {
      super(url, protocols);
      opened.push({ url, protocols });
    }
  }
  return { opened, WebSocket: Recording as never };
}

test('a token opens a socket with a ticket, and is in no address and no subprotocol', async () => {
  const app = await startGuarded();
  const ann = await person(app);
  const { opened, WebSocket } = recording();
  const client = testClient(app.url, { token: ann.key, WebSocket });
  const { session_id } = await client.sessions.create();
  await client.session(session_id).connect();
  expect(opened).toHaveLength(1);
  const [{ url, protocols } = { url: '', protocols: [] }] = opened;
  expect(protocols).toEqual(['llmgine.v1', expect.stringMatching(/^llmgine\.ticket\./)]);
  expect(`${url} ${protocols}`).not.toContain(ann.key);
});

test('with the cookie of a login it gets a ticket, too, and shows that the page knows the login', async () => {
  const asked: unknown[] = [];
  const { url } = await startWireServer({
    http: (request, response) => {
      asked.push([request.method, request.url, request.headers['x-csrf-token']]);
      response.writeHead(201).end(JSON.stringify({ ticket: 'abc', expires_at: inSeconds(30) }));
    },
  });
  const { opened, WebSocket } = recording();
  const client = testClient(url, { csrfToken: () => 'known', WebSocket });
  await client.session(ID).connect();
  await client.sessions.get(ID);
  expect(opened[0]?.protocols).toEqual(['llmgine.v1', 'llmgine.ticket.abc']);
  expect(asked).toEqual([
    ['POST', `/api/sessions/${ID}/tickets`, 'known'],
    ['GET', `/api/sessions/${ID}`, undefined],
  ]);
});

test('a page that has logged in works with its cookie alone, over REST and on the socket, until it logs out', async () => {
  const app = await startGuarded();
  const ann = await person(app);
  let cookie = '';
  let csrf: string | null = null;
  // What a browser does with cookies.
  const browser: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    if (cookie !== '') headers.set('cookie', cookie);
    const response = await fetch(input, { ...init, headers });
    cookie = response.headers.getSetCookie()[0]?.split(';', 1)[0] ?? cookie;
    return response;
  };
  const client = testClient(app.url, { fetch: browser, csrfToken: () => csrf });
  await expect(client.auth.session()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  ({ csrf_token: csrf } = await client.auth.login(ann.key));
  expect(await client.auth.session()).toMatchObject({ credential: 'session', csrf_token: csrf });
  const { session_id } = await client.sessions.create({ engine_type: 'ToolChatEngine' });
  const session = client.session(session_id);
  expect(await session.prompt('Hello').result).toMatchObject({ status: 'completed' });
  await client.auth.logout();
  await stateOf(session, 'closed');
  expect(session.closeReason?.error?.code).toBe('UNAUTHENTICATED');
});

test('without a credential it asks for no ticket', async () => {
  const { url, createSession } = await startApp();
  const { opened, WebSocket } = recording();
  const fetch = vi.fn();
  await testClient(url, { WebSocket, fetch })
    .session(await createSession())
    .connect();
  expect(opened[0]?.protocols).toEqual(['llmgine.v1']);
  expect(fetch).not.toHaveBeenCalled();
});

test('a call whose token is refused is made once more with another one, and then fails', async () => {
  const app = await startGuarded();
  const ann = await person(app);
  const tokens = ['wrong', ann.key];
  const next = vi.fn(() => tokens.shift() ?? 'wrong again');
  const client = testClient(app.url, { token: next });
  await expect(client.sessions.list()).resolves.toMatchObject({ total: 0 });
  await client.sessions.list();
  expect(next).toHaveBeenCalledTimes(2);
  await app.app.services.keys.service.revoke(OPERATOR, ann.keyId);
  await expect
    .poll(() => client.sessions.list().catch(({ code, status }) => ({ code, status })))
    .toEqual({ code: 'UNAUTHENTICATED', status: 401 });
});

test('a credential that expires on an open socket is replaced, and nothing is missed', async () => {
  const app = await startGuarded();
  const first = await person(app);
  const second = await person(app, { principal_id: first.principalId });
  const sessionId = await second.createSession();
  const keys = [first.key, second.key];
  const next = vi.fn(() => keys.shift() as string);
  const session = testClient(app.url, { token: next }).session(sessionId);
  const seen: string[] = [];
  session.on('*', ({ event_type }) => seen.push(event_type));
  await session.connect();
  await expires(app, first);
  await stateOf(session, 'reconnecting');
  expect(session.error?.code).toBe('UNAUTHENTICATED');
  await second.call('POST', `/api/sessions/${sessionId}/events`, { event_type: 'custom:meanwhile' });
  await stateOf(session, 'open');
  await expect.poll(() => seen).toEqual(['custom:meanwhile']);
  expect(next).toHaveBeenCalledTimes(2);
});

test('a credential that expires and cannot be replaced ends the session', async () => {
  const app = await startGuarded();
  const ann = await person(app);
  const session = testClient(app.url, { token: ann.key }).session(await ann.createSession());
  await session.connect();
  await expires(app, ann);
  await stateOf(session, 'closed');
  expect(session.closeReason?.error).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
});

test('a server that accepts no credential for long is asked once more, not for ever', async () => {
  const { url, sockets } = await startWireServer({
    subscribed: (socket) => socket.close(4001, 'credentials expired'),
    http: (_request, response) => response.end(JSON.stringify({ ticket: 'abc' })),
  });
  const session = testClient(url, { token: () => 'a token' }).session(ID);
  session.connect().catch(() => {});
  await stateOf(session, 'closed');
  expect(session.closeReason).toMatchObject({ code: 4001, error: { code: 'UNAUTHENTICATED' } });
  expect(sockets).toHaveLength(2);
});

test('a JWT is replaced on the open socket before it expires, and is in no frame that is shown', async () => {
  const app = await startGuarded();
  const tokens: string[] = [];
  const next = () => {
    const made = token(tokens.length === 0 ? 4 : 300);
    tokens.push(made);
    return made;
  };
  const { session_id } = await testClient(app.url, { token: token(300) }).sessions.create();
  const session = testClient(app.url, { token: next }).session(session_id);
  const frames: RawFrame[] = [];
  session.onFrame((frame) => frames.push(frame));
  await session.connect();
  await expect.poll(() => frames.map(({ text }) => text ?? '').join('\n')).toContain('"authenticated"');
  expect(tokens).toHaveLength(2);
  expect(session.state).toBe('open');
  const shown = frames.map(({ text }) => text ?? '').join('\n');
  for (const each of tokens) expect(shown).not.toContain(each);
});

test('when a JWT expires is read from it, and nothing else says so', () => {
  expect(jwtExpiry(hmacToken({ alg: 'HS256' }, { exp: 1_700_000_000, name: 'Zoë' }, SECRET))).toBe(
    1_700_000_000_000,
  );
  expect(jwtExpiry(hmacToken({ alg: 'HS256' }, {}, SECRET))).toBeNull();
  expect(jwtExpiry('llmgine_key_abc')).toBeNull();
  expect(jwtExpiry('a.b.c')).toBeNull();
});

test.each([undefined, null, 42])(
  'a callback that answers with %s fails its call, and nothing else',
  async (answer) => {
    const { url } = await startWireServer();
    const client = testClient(url, { token: () => answer as never });
    await expect(client.sessions.list()).rejects.toBeInstanceOf(TypeError);
  },
);

test('who waits for a token can stop waiting', async () => {
  const { url } = await startWireServer();
  const client = testClient(url, { token: () => new Promise<string>(() => {}) });
  const controller = new AbortController();
  const waiting = client.sessions.list({ signal: controller.signal });
  controller.abort(new Error('mine'));
  await expect(waiting).rejects.toThrow('mine');
});

test('on a device whose clock is ahead a token is not taken for expired, and nobody is asked for another one', async () => {
  const { url, frames } = await startWireServer({
    http: (_request, response) => response.end(JSON.stringify({ ticket: 'abc' })),
  });
  const next = vi.fn(() => token(-3_600));
  const credentials = new Credentials(next, undefined);
  await credentials.token();
  await credentials.token();
  expect(next).toHaveBeenCalledOnce();
  expect(credentials.expiresAt).toBeNull();
  const session = testClient(url, { token: () => token(-3_600) }).session(ID);
  await session.connect();
  expect(frames).toEqual([]);
});
