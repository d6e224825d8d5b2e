/** Tickets: what a page that cannot set headers opens its socket with. */
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { OPERATOR } from '../../packages/server/src/security/principal.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { type Person, person } from '../helpers/people.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { type OpenOptions, TestSocket } from '../helpers/ws-client.ts';

const PAGE = 'http://localhost:5173';

async function start() {
  const app = await startApp();
  const ann = await person(app);
  return { app, ann, sessionId: await ann.createSession() };
}

async function ticketOf(someone: Person, sessionId: string, headers?: Record<string, string>) {
  const { status, body } = await someone.call(
    'POST',
    `/api/sessions/${sessionId}/tickets`,
    undefined,
    headers,
  );
  expect(status).toBe(201);
  return body.ticket as string;
}

function open(app: TestApp, sessionId: string, ticket: string, options: OpenOptions = {}) {
  const protocols = ['llmgine.v1', `llmgine.ticket.${ticket}`];
  return TestSocket.open(app.wsUrl(sessionId), { ...options, protocols });
}

test('check 19: a ticket opens the session as its holder, once; replayed it is 401', async () => {
  const { app, ann, sessionId } = await start();
  const before = Date.now();
  const { body, headers } = await ann.call('POST', `/api/sessions/${sessionId}/tickets`);

  const socket = await open(app, sessionId, body.ticket);

  expect(socket.ws.protocol).toBe('llmgine.v1');
  expect((await socket.request('status')).data.session_status).toBe('running');
  expect(app.app.messaging.connections().map(({ principal_id }) => principal_id)).toEqual([ann.principalId]);
  // 128 bits and more.
  expect(Buffer.from(body.ticket, 'base64url').length).toBeGreaterThanOrEqual(16);
  expect(Date.parse(body.expires_at) - before).toBeLessThanOrEqual(31_000);
  expect(headers.get('cache-control')).toBe('no-store');
  await expect(open(app, sessionId, body.ticket)).rejects.toThrow('401');
  await socket.close();
  await expect(open(app, sessionId, body.ticket)).rejects.toThrow('401');
});

test('check 19: of many that use a ticket at once, one gets in', async () => {
  const { app, ann, sessionId } = await start();
  const ticket = await ticketOf(ann, sessionId);

  const opened = await Promise.allSettled(Array.from({ length: 20 }, () => open(app, sessionId, ticket)));

  expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('check 19: is for pages of the origin that asked for it', async () => {
  const { app, ann, sessionId } = await start();
  const page = (origin: string) => ({ headers: { origin } });
  const ask = () => ticketOf(ann, sessionId, { origin: PAGE });

  await expect(open(app, sessionId, await ask(), page('http://localhost:3000'))).rejects.toThrow('401');
  await expect(open(app, sessionId, await ask())).rejects.toThrow('401');
  expect((await (await open(app, sessionId, await ask(), page(PAGE))).request('ping')).type).toBe('pong');
});

test('that a back end has asked for is for any page that may connect', async () => {
  const { app, ann, sessionId } = await start();
  const page = (origin: string) => ({ headers: { origin } });

  const socket = await open(app, sessionId, await ticketOf(ann, sessionId), page(PAGE));
  expect((await socket.request('ping')).type).toBe('pong');
  await expect(
    open(app, sessionId, await ticketOf(ann, sessionId), page('https://evil.example')),
  ).rejects.toThrow('403');
});

test('is for its session, whatever way the id is written; tried on another one it is used up', async () => {
  const { app, ann, sessionId } = await start();
  const other = await ann.createSession();

  const ticket = await ticketOf(ann, sessionId);
  await expect(open(app, other, ticket)).rejects.toThrow('401');
  await expect(open(app, sessionId, ticket)).rejects.toThrow('401');

  const socket = await open(app, sessionId.toUpperCase(), await ticketOf(ann, sessionId.toUpperCase()));
  expect((await socket.request('ping')).type).toBe('pong');
});

test('is no credential of anything else', async () => {
  const { app, ann, sessionId } = await start();
  const ticket = await ticketOf(ann, sessionId);

  for (const text of [ticket, `llmgine.ticket.${ticket}`]) {
    const headers = { authorization: `Bearer ${text}` };
    const { status } = await call('GET', `${app.url}/api/sessions/${sessionId}`, undefined, headers);
    expect(status).toBe(401);
  }
  const protocols = [`llmgine.bearer.${ticket}`];
  await expect(TestSocket.open(app.wsUrl(sessionId), { protocols })).rejects.toThrow('401');
  // None of that has used it up.
  const socket = await open(app, sessionId, ticket);
  const refreshed = await socket.request('authenticate', {
    token: `llmgine.ticket.${await ticketOf(ann, sessionId)}`,
  });
  expect(refreshed.data.code).toBe('UNAUTHENTICATED');
});

test('of a key that was revoked opens nothing', async () => {
  const { app, ann, sessionId } = await start();
  const ticket = await ticketOf(ann, sessionId);

  await app.app.services.keys.service.revoke(OPERATOR, ann.keyId);

  await expect(open(app, sessionId, ticket)).rejects.toThrow('401');
});

test('opens a socket that ends with the key of its holder', async () => {
  const { app, ann, sessionId } = await start();
  const socket = await open(app, sessionId, await ticketOf(ann, sessionId));

  await app.app.services.keys.service.revoke(OPERATOR, ann.keyId);

  expect((await socket.closed).code).toBe(4010);
});

test('of a caller on the same machine opens nothing for somebody elsewhere', async () => {
  const app = await startApp();
  const sessionId = await app.createSession();
  const ask = async () =>
    (await call('POST', `${app.url}/api/sessions/${sessionId}/tickets`)).body.ticket as string;
  const forwarded = { headers: { 'x-forwarded-for': '203.0.113.9' } };

  await expect(open(app, sessionId, await ask(), forwarded)).rejects.toThrow('401');
  expect((await (await open(app, sessionId, await ask())).request('ping')).type).toBe('pong');
});

test('there is room for a hundred unused ones of a caller, and always for those of others', async () => {
  const { app, ann, sessionId } = await start();
  const bob = await person(app);
  const theirs = await bob.createSession();
  for (let count = 0; count < 100; count++) await ticketOf(ann, sessionId);

  const { status, body, headers } = await ann.call('POST', `/api/sessions/${sessionId}/tickets`);

  expect([status, body.code]).toEqual([429, 'RESOURCE_LIMIT_EXCEEDED']);
  expect(headers.get('retry-after')).toBe('30');
  expect((await (await open(app, theirs, await ticketOf(bob, theirs))).request('ping')).type).toBe('pong');
});

test('is known to the process that gave it, and to no other', async () => {
  const config = { databaseUrl: (await testDatabase()).url };
  const [app, other] = [await startApp({ config }), await startApp({ config })];
  const ann = await person(app);
  const sessionId = await ann.createSession();
  const ticket = await ticketOf(ann, sessionId);

  await expect(open(other, sessionId, ticket)).rejects.toThrow('401');
  expect((await (await open(app, sessionId, ticket)).request('ping')).type).toBe('pong');
});

test('check 20: is in no line of the log', async () => {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const app = await startApp({ logger: pino({ level: 'trace' }, sink) });
  const ann = await person(app);
  const sessionId = await ann.createSession();
  const ticket = await ticketOf(ann, sessionId);

  const socket = await open(app, sessionId, ticket);
  for (const token of [ann.key, 'a-token-of-somebody']) await socket.request('authenticate', { token });
  await socket.close();
  await expect(open(app, sessionId, ticket)).rejects.toThrow('401');

  expect(lines.join('')).toContain('upgrade refused');
  for (const secret of [ticket, ann.key, 'a-token-of-somebody']) {
    expect(lines.join('')).not.toContain(secret);
  }
});
