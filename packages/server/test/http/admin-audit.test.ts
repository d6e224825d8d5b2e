import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import WebSocket from 'ws';
import { startApp, type TestApp } from '../../../../tests/helpers/app.ts';
import { person } from '../../../../tests/helpers/people.ts';
import { call } from '../../../../tests/helpers/rest.ts';

const KEY = 'a-bootstrap-key-of-the-test';
const ADMIN = { authorization: `Bearer ${KEY}` };

const start = () => startApp({ config: { key: KEY } });

/** The page of the log when it holds what it is waited for. */
async function entriesOf({ app, url }: Pick<TestApp, 'app' | 'url'>, query = '') {
  await app.services.audit.flush();
  const { status, body } = await call('GET', `${url}/api/admin/audit${query}`, undefined, ADMIN);
  expect(status).toBe(200);
  return body as { entries: Record<string, unknown>[]; next: string | null };
}

async function refusedSocket(url: string, options: { headers: Record<string, string> }): Promise<void> {
  const ws = new WebSocket(url, options);
  await once(ws, 'error');
}

it('a refused credential is one entry with who, what, when and where, without the credential (check 37)', async () => {
  const server = await start();
  const wrong = 'wrong-credential-of-somebody';

  const answer = await call('GET', `${server.url}/api/sessions?secret=1`, undefined, {
    authorization: `Bearer ${wrong}`,
    'x-forwarded-for': '203.0.113.9',
  });

  const { entries } = await entriesOf(server);
  expect(entries).toEqual([
    expect.objectContaining({
      number: 1,
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      action: 'auth.refused',
      outcome: 'refused',
      principal: null,
      target: { kind: 'operation', id: 'GET /api/sessions' },
      address: '127.0.0.1',
      transport: 'rest',
      request_id: answer.headers.get('x-request-id'),
      details: { reason: 'The credential is not valid' },
    }),
  ]);
  expect(JSON.stringify(entries)).not.toContain(wrong);
});

it('handshakes that are refused for the credential and for the origin are entries (check 37)', async () => {
  const server = await start();
  const session = await person(server).then((one) => one.createSession());

  await refusedSocket(server.wsUrl(session), { headers: { authorization: 'Bearer wrong-credential-here' } });
  await refusedSocket(server.wsUrl(session), { headers: { ...ADMIN, origin: 'https://evil.example' } });

  const { entries } = await entriesOf(server, '?limit=2');
  const common = {
    transport: 'websocket',
    address: '127.0.0.1',
    target: { kind: 'operation', id: `GET /api/sessions/${session}/ws` },
    request_id: expect.stringMatching(/^req_/),
  };
  expect(entries).toMatchObject([
    { ...common, action: 'origin.refused', details: { origin: 'https://evil.example' } },
    { ...common, action: 'auth.refused', details: { reason: 'The credential is not valid' } },
  ]);
});

it('what a known caller may not do is an entry with its name, over REST and in a socket (check 37)', async () => {
  const server = await start();
  const user = await person(server, { role: 'user' });
  const viewer = await person(server, { role: 'viewer', principal_id: user.principalId });
  const session = await user.createSession();
  const socket = await viewer.connect(session);

  expect((await viewer.call('POST', '/api/sessions')).status).toBe(403);
  expect((await socket.request('command', { command: 'prompt' })).data).toMatchObject({ code: 'FORBIDDEN' });

  const { entries } = await entriesOf(server, '?action=access.refused');
  const who = { principal: { id: viewer.principalId }, credential: { kind: 'key', id: viewer.keyId } };
  expect(entries).toMatchObject([
    { ...who, transport: 'websocket', address: '127.0.0.1', target: { id: 'message command' } },
    { ...who, transport: 'rest', target: { id: 'POST /api/sessions' } },
  ]);
});

it('a session that is deleted is an entry, once, and one that is not there is none', async () => {
  const server = await start();
  const user = await person(server);
  const session = await user.createSession();

  for (const status of [200, 404]) {
    expect((await user.call('DELETE', `/api/sessions/${session}`)).status).toBe(status);
  }

  expect((await entriesOf(server, '?action=session.deleted')).entries).toMatchObject([
    { outcome: 'success', principal: { id: user.principalId }, target: { kind: 'session', id: session } },
  ]);
});

it('a limit that is reached is an entry with the name of the caller', async () => {
  const server = await startApp({ config: { key: KEY, requestRate: 2 } });
  const user = await person(server);

  const statuses = [];
  for (let index = 0; index < 3; index++) statuses.push((await user.call('GET', '/api/sessions')).status);

  expect(statuses).toEqual([200, 200, 429]);
  expect((await entriesOf(server, '?action=limit.reached')).entries).toMatchObject([
    { outcome: 'refused', principal: { id: user.principalId }, target: { id: 'GET /api/sessions' } },
  ]);
});

it('who hangs up before the answer is an entry as well', async () => {
  const server = await start();
  const { port } = new URL(server.url);

  const socket = connect(Number(port), '127.0.0.1');
  socket.write(
    'GET /api/sessions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer wrong-credential\r\n\r\n',
    () => socket.destroy(),
  );

  await expect
    .poll(async () => (await entriesOf(server)).entries)
    .toMatchObject([{ action: 'auth.refused', address: '127.0.0.1' }]);
});

it('is listed in pages, by action, caller and time', async () => {
  const server = await start();
  const { audit } = server.app.services;
  const source = { address: null, transport: 'server', requestId: null } as const;
  for (let index = 0; index < 5; index++) {
    const action = index % 2 ? 'logout' : 'key.created';
    const target = { kind: 'key', id: String(index) };
    const principal = {
      id: `p${index % 2}`,
      tenantId: 't',
      credential: { kind: 'none', id: null, expiresAt: null },
    } as const;
    await audit.recordDurably({ action, outcome: 'success', source, principal, target });
  }
  const all = (await entriesOf(server)).entries;
  const numbers = async (query: string) =>
    (await entriesOf(server, query)).entries.map((entry) => entry.number);

  const first = await entriesOf(server, '?limit=2');
  const second = await entriesOf(server, `?limit=2&cursor=${first.next}`);
  const third = await entriesOf(server, `?limit=2&cursor=${second.next}`);

  expect([...first.entries, ...second.entries, ...third.entries]).toEqual(all);
  expect(third.next).toBeNull();
  expect(all).toHaveLength(5);
  expect(await numbers('?action=logout')).toEqual([4, 2]);
  expect(await numbers('?principal_id=p0')).toEqual([5, 3, 1]);
  expect(await numbers(`?until=${String(all.at(-1)?.at)}`)).toEqual([]);
  expect(await numbers(`?from=${String(all.at(-1)?.at)}&action=logout`)).toEqual([4, 2]);
  for (const [bad, code] of [
    ['limit=0', 'VALIDATION_ERROR'],
    ['action=other', 'VALIDATION_ERROR'],
    ['from=yesterday', 'VALIDATION_ERROR'],
    ['cursor=x', 'INVALID_CURSOR'],
  ]) {
    const answer = await call('GET', `${server.url}/api/admin/audit?${bad}`, undefined, ADMIN);
    expect(answer.body.code).toBe(code);
  }
});

it('is for the admins of the server alone, and their reading it finds the head', async () => {
  const server = await start();
  const people = await Promise.all([
    person(server, { role: 'viewer' }),
    person(server, { role: 'user' }),
    person(server, { role: 'admin', tenant_id: 'elsewhere' }),
  ]);

  for (const path of ['/api/admin/audit', '/api/admin/audit/head']) {
    expect((await call('GET', server.url + path)).status).toBe(401);
    for (const one of people) expect((await one.call('GET', path)).status).toBe(403);
  }

  const { entries } = await entriesOf(server, '?limit=1');
  const head = await call('GET', `${server.url}/api/admin/audit/head`, undefined, ADMIN);
  expect(head.body).toEqual({ number: entries[0]?.number, hash: entries[0]?.hash });
});
