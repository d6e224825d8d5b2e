/** What callers and addresses may do, how those are stopped that guess, and that all others go on. */
import { once } from 'node:events';
import { SignJWT } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { verifyLog } from '../../packages/server/src/security/audit/verify.ts';
import { type StartOptions, startApp } from '../helpers/app.ts';
import { type AddressAnswer, callFrom } from '../helpers/from-address.ts';
import { call } from '../helpers/rest.ts';
import { testEngine, testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const SECRET = 'a-secret-of-more-than-32-characters';
const NO_SESSION = '550e8400-e29b-41d4-a716-446655440000';

/** The headers of a caller of this name. */
async function as(sub: string, role = 'user'): Promise<Record<string, string>> {
  const token = await new SignJWT({ sub, role })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('5 minutes')
    .sign(new TextEncoder().encode(SECRET));
  return { authorization: `Bearer ${token}` };
}

async function start(config: StartOptions['config'] = {}, options: StartOptions = {}) {
  const started = await startApp({ ...options, config: { jwtSecret: SECRET, ...config } });
  const sessions = `${started.url}/api/sessions`;
  return { ...started, sessions, one: callFrom('127.0.0.1'), two: callFrom('127.0.0.2') };
}

type Started = Awaited<ReturnType<typeof start>>;

async function createSession({ sessions, one }: Started, who: Record<string, string>, body?: object) {
  const { status, body: session } = await one.call('POST', sessions, who, body);
  expect(status).toBe(201);
  return session.session_id as string;
}

const limitOf = ({ headers }: AddressAnswer) => [headers['ratelimit-policy'], headers.ratelimit];
const statuses = (answers: readonly AddressAnswer[]) => answers.map(({ status }) => status);
const times = <Item>(count: number, make: (n: number) => Promise<Item>) =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)));

test('check 28: each answer says what is left of the rate, and one request more is refused with 429', async () => {
  const { url, sessions, one } = await start({ requestRate: 6 });
  const [ada, bob, eve] = [await as('ada'), await as('bob'), await as('eve', 'viewer')];

  for (const left of [5, 4, 3]) {
    const [policy, limit] = limitOf(await one.call('GET', sessions, ada));
    expect(policy).toBe('"default";q=6;w=60');
    expect(limit).toMatch(new RegExp(`^"default";r=${left};t=[1-6]?\\d$`));
  }
  expect(limitOf(await one.call('GET', `${sessions}/${NO_SESSION}`, ada))[1]).toContain('r=2');
  expect(limitOf(await one.call('GET', `${url}/nowhere`, ada))[1]).toContain('r=1');
  expect(limitOf(await one.call('POST', sessions, eve))[1]).toContain('r=5');
  await one.call('GET', sessions, ada);
  const refused = await one.call('GET', sessions, ada);

  expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
  expect(limitOf(refused)[1]).toMatch(/^"default";r=0;t=\d+$/);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect((await one.call('GET', sessions, bob)).status).toBe(200);
  expect((await one.call('GET', `${url}/health`)).status).toBe(200);
});

test('another key, a new token or another address gives nobody a new rate', async () => {
  const { sessions, one, two } = await start({ requestRate: 3 });
  for (let n = 0; n < 3; n++) expect((await one.call('GET', sessions, await as('ada'))).status).toBe(200);
  expect((await two.call('GET', sessions, await as('ada', 'admin'))).status).toBe(429);
});

test('an address has a rate, too, for whatever comes from it, and others go on', async () => {
  const { sessions, wsUrl, one, two } = await start({ addressRate: 6 });
  const ada = await as('ada');

  const answers = [
    await one.call('GET', sessions),
    await one.call('GET', sessions, { authorization: 'Bearer wrong' }),
    await one.call('GET', sessions, ada),
    await one.connect(wsUrl(NO_SESSION), ada),
    await one.connect(wsUrl(NO_SESSION)),
    await one.call('GET', `${sessions}/x`, ada),
  ];
  expect(statuses(answers)).toEqual([401, 401, 200, 101, 401, 404]);

  for (const refused of [
    await one.call('GET', sessions, ada),
    await one.call('GET', sessions),
    await one.connect(wsUrl(NO_SESSION), ada),
  ]) {
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
    expect(limitOf(refused)).toEqual(['"address";q=6;w=60', expect.stringMatching(/^"address";r=0;t=\d+$/)]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  }
  expect((await two.call('GET', sessions, ada)).status).toBe(200);
});

test('check 28: a caller far over its limit takes nothing from another one behind the same address', async () => {
  const { sessions, one } = await start({ requestRate: 5, addressRate: 10 });
  const [ada, bob] = [await as('ada'), await as('bob')];
  const answers = await times(200, () => one.call('GET', sessions, ada));
  expect(statuses(answers).filter((status) => status === 200)).toHaveLength(5);
  for (let n = 0; n < 5; n++) expect((await one.call('GET', sessions, bob)).status).toBe(200);
});

test('callers on the same machine have no limit and hear of none', async () => {
  const { url, createSession, wsUrl } = await startApp({
    config: {
      requestRate: 1,
      addressRate: 1,
      maxConnectionsPerCaller: 1,
      maxConnectionsPerAddress: 1,
    },
  });
  for (let n = 0; n < 30; n++) {
    const { status, headers } = await call('GET', `${url}/api/sessions`);
    expect([status, headers.get('ratelimit')]).toEqual([200, null]);
  }
  const id = await createSession();
  await times(5, () => TestSocket.open(wsUrl(id)));
});

test('check 23: X-Forwarded-For of a caller that is no declared proxy gives it no other address', async () => {
  const { sessions, one } = await start({ addressRate: 5 });
  const answers = await times(20, (n) =>
    one.call('GET', sessions, { 'x-forwarded-for': `203.0.113.${n}`, 'x-user-id': `user ${n}` }),
  );
  expect(statuses(answers).filter((status) => status === 401)).toHaveLength(5);
  expect(statuses(answers).filter((status) => status === 429)).toHaveLength(15);
});

test('check 23: behind a declared proxy each caller has the address that the proxy has seen', async () => {
  const { sessions, one } = await start({ addressRate: 5, trustedProxies: '127.0.0.1' });
  const from = (address: string) => one.call('GET', sessions, { 'x-forwarded-for': address });
  const spoofing = await times(20, (n) => from(`198.51.100.${n}, 203.0.113.1`));
  expect(statuses(spoofing).filter((status) => status === 401)).toHaveLength(5);
  expect((await from('203.0.113.2')).status).toBe(401);
  const oneNetwork = await times(20, (n) => from(`2001:db8:1:2::${n}`));
  expect(statuses(oneNetwork).filter((status) => status === 401)).toHaveLength(5);
});

test('check 23: a declared proxy on this machine makes nobody a caller on this machine', async () => {
  const { url } = await startApp({ config: { trustedProxies: '127.0.0.1' } });
  const forwarded = { 'x-forwarded-for': '127.0.0.1' };
  expect((await call('GET', `${url}/api/sessions`, undefined, forwarded)).status).toBe(401);
});

test('check 28: a caller has so many connections, also when they come at once, and a closed one makes room', async () => {
  const started = await start({ maxConnectionsPerCaller: 3 });
  const { app, wsUrl, one, two } = started;
  const [ada, bob] = [await as('ada'), await as('bob')];
  const id = await createSession(started, ada);
  const connects = await times(12, (n) => (n % 2 ? one : two).connect(wsUrl(id), ada));

  const open = connects.filter(({ status }) => status === 101);
  expect(open).toHaveLength(3);
  for (const refused of connects.filter(({ status }) => status !== 101)) {
    expect(refused).toMatchObject({ status: 429, body: { code: 'RESOURCE_LIMIT_EXCEEDED' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  }
  expect((await one.connect(wsUrl(await createSession(started, bob)), bob)).status).toBe(101);

  const [first, second] = open;
  first?.socket.terminate();
  second?.socket.close();
  await expect.poll(() => app.messaging.connections(id)).toHaveLength(1);
  const again = await times(5, () => one.connect(wsUrl(id), ada));
  expect(again.filter(({ status }) => status === 101)).toHaveLength(2);
});

test('an address has so many connections, whoever opens them', async () => {
  const started = await start({ maxConnectionsPerAddress: 2 });
  const { wsUrl, one, two } = started;
  const [ada, bob] = [await as('ada'), await as('bob')];
  const [ofAda, ofBob] = [await createSession(started, ada), await createSession(started, bob)];
  expect((await one.connect(wsUrl(ofAda), ada)).status).toBe(101);
  expect((await one.connect(wsUrl(ofBob), bob)).status).toBe(101);
  expect(await one.connect(wsUrl(ofBob), bob)).toMatchObject({
    status: 429,
    body: { code: 'RESOURCE_LIMIT_EXCEEDED' },
  });
  expect((await two.connect(wsUrl(ofBob), bob)).status).toBe(101);
});

test('handshakes that come to nothing leave no connection behind', async () => {
  const started = await start({ maxConnectionsPerCaller: 1 });
  const { wsUrl, one } = started;
  const ada = await as('ada');
  const id = await createSession(started, ada);
  for (let n = 0; n < 5; n++) {
    const stray = await one.connect(wsUrl(NO_SESSION), ada);
    expect(stray.status).toBe(101);
    await once(stray.socket, 'close');
    const bad = await one.call('GET', wsUrl(id).replace('ws:', 'http:'), {
      ...ada,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'short',
    });
    expect(bad.status).toBe(400);
  }
  expect((await one.connect(wsUrl(id), ada)).status).toBe(101);
});

test('check 28: a caller has so many sessions, and others have theirs', async () => {
  const started = await start({ maxSessionsPerCaller: 2 });
  const { sessions, one } = started;
  const [ada, bob] = [await as('ada'), await as('bob')];

  const answers = await times(8, () => one.call('POST', sessions, ada));

  expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
  const refused = answers.find(({ status }) => status !== 201);
  expect(refused).toMatchObject({ status: 429, body: { code: 'RESOURCE_LIMIT_EXCEEDED' } });
  expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0);
  const id = await createSession(started, bob);
  expect((await one.call('DELETE', `${sessions}/${id}`, ada)).status).toBe(404);
  expect((await one.call('POST', sessions, ada)).status).toBe(429);
  const mine = answers.find(({ status }) => status === 201)?.body.session_id;
  expect((await one.call('DELETE', `${sessions}/${mine}`, ada)).status).toBeLessThan(300);
  await createSession(started, ada);
});

test('check 28: runs of a caller beyond its share wait, and those of others start meanwhile', async () => {
  const gate = testGate();
  const seen: string[] = [];
  const apiFactory = testEngine(async ({ parameters }) => {
    seen.push(String(parameters.name));
    await gate.pass();
  });
  const started = await start({ maxRunsPerCaller: 2, maxConcurrentRuns: 4 }, { apiFactory });
  const { sessions, one } = started;
  const [ada, bob] = [await as('ada'), await as('bob')];
  const command = async (who: Record<string, string>, name: string) => {
    const id = await createSession(started, who, { engine_type: 'TestEngine' });
    const body = { command: 'act', parameters: { name } };
    const { status } = await one.call(
      'POST',
      `${sessions}/${id}/commands`,
      { ...who, prefer: 'respond-async' },
      body,
    );
    expect(status).toBe(202);
    return id;
  };

  const ids: string[] = [];
  for (let n = 0; n < 10; n++) ids.push(await command(ada, `ada ${n}`));
  await command(bob, 'bob 0');
  await expect.poll(() => seen).toEqual(['ada 0', 'ada 1', 'bob 0']);
  await command(bob, 'bob 1');
  await expect.poll(() => seen).toEqual(['ada 0', 'ada 1', 'bob 0', 'bob 1']);
  const { body } = await one.call('GET', `${sessions}/${ids[2]}/runs`, ada);
  expect(body.runs).toMatchObject([{ status: 'queued' }]);

  gate.open();
  await expect.poll(() => seen).toHaveLength(12);
});

test('10,000 wrong keys in a burst: the source is blocked, the others are answered, and the audit log says so and verifies', async () => {
  const { app, url, sessions, wsUrl, one, two } = await start({ addressRate: 1_000_000 });
  const ada = await as('ada');
  const spray = (n: number) => two.call('GET', sessions, { authorization: `Bearer wrong-${n}` });

  const tried: AddressAnswer[] = [];
  for (let burst = 0; burst < 20; burst++) {
    const answers = times(500, (n) => spray(burst * 500 + n));
    expect((await one.call('GET', sessions, ada)).status).toBe(200);
    tried.push(...(await answers));
  }

  expect(tried.filter(({ status }) => status === 401).length).toBeLessThan(100);
  const refused = tried.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(9_900);
  expect(refused.every(({ body }) => body.code === 'RATE_LIMITED')).toBe(true);
  expect(Number(refused.at(-1)?.headers['retry-after'])).toBeGreaterThan(0);
  // Not even the right one is looked at.
  expect((await two.call('GET', sessions, ada)).status).toBe(429);
  expect((await two.connect(wsUrl(NO_SESSION), ada)).status).toBe(429);
  expect((await two.call('GET', `${url}/health`)).status).toBe(200);
  const blocked = async () => app.services.storage.audit.list({ limit: 10, action: 'source.blocked' });
  await expect.poll(blocked).toHaveLength(1);
  expect(JSON.parse((await blocked())[0]?.entry ?? '')).toMatchObject({ details: { kind: 'key_spraying' } });
  await app.services.audit.flush();
  expect(await verifyLog(app.services.storage.audit)).toMatchObject({ ok: true });
});

test('tokens that are guessed on an open socket count like others', async () => {
  const started = await start();
  const { wsUrl, sessions, one, two } = started;
  const ada = await as('ada');
  const { socket } = await two.connect(wsUrl(await createSession(started, ada)), ada);
  const codes: string[] = [];
  const answered = new Promise<void>((resolve) => {
    socket.on('message', (frame) => {
      codes.push(JSON.parse(String(frame)).data.code);
      if (codes.length === 40) resolve();
    });
  });
  for (let n = 0; n < 40; n++) {
    socket.send(JSON.stringify({ type: 'authenticate', message_id: n, data: { token: `wrong-${n}` } }));
  }
  await answered;
  expect(codes).toContain('RATE_LIMITED');
  expect((await two.call('GET', sessions, ada)).status).toBe(429);
  expect((await one.call('GET', sessions, ada)).status).toBe(200);
});

test('check 23: tokens that are guessed on a socket behind a declared proxy count for who guesses, not for the proxy', async () => {
  const started = await start({ trustedProxies: '127.0.0.1' });
  const { wsUrl, sessions, one } = started;
  const ada = await as('ada');
  const from = (address: string) => ({ ...ada, 'x-forwarded-for': `198.51.100.1, ${address}` });
  const id = await createSession(started, from('203.0.113.7'));
  const { socket } = await one.connect(wsUrl(id), from('203.0.113.7'));
  const blocked = new Promise<void>((resolve) => {
    socket.on('message', (frame) => JSON.parse(String(frame)).data.code === 'RATE_LIMITED' && resolve());
  });
  for (let n = 0; n < 40; n++) {
    socket.send(JSON.stringify({ type: 'authenticate', message_id: n, data: { token: `wrong-${n}` } }));
  }
  await blocked;

  expect((await one.call('GET', sessions, from('203.0.113.7'))).status).toBe(429);
  expect((await one.call('GET', sessions, from('203.0.113.8'))).status).toBe(200);
  expect((await one.call('GET', sessions, ada)).status).toBe(200);
});

test('a caller that looks for ids of sessions is blocked, and others behind its address are not', async () => {
  const { sessions, wsUrl, one } = await start();
  const [ada, eve] = [await as('ada'), await as('eve')];
  const answers = await times(400, () => one.call('GET', `${sessions}/${crypto.randomUUID()}`, eve));
  expect(statuses(answers).filter((status) => status === 404).length).toBeGreaterThanOrEqual(200);
  expect((await one.call('GET', sessions, eve)).status).toBe(429);
  expect((await one.connect(wsUrl(NO_SESSION), eve)).status).toBe(429);
  expect((await one.call('GET', sessions, ada)).status).toBe(200);
});

test('a caller on the same machine is let in, also with a ticket, whatever else came from there', async () => {
  const { url, wsUrl } = await startApp();
  const spray = (n: number) =>
    call('GET', `${url}/api/sessions`, undefined, { authorization: `Bearer wrong-${n}` });
  await times(100, spray);
  expect((await spray(100)).status).toBe(429);
  const session = await call('POST', `${url}/api/sessions`);
  const id = session.body.session_id as string;
  const { body } = await call('POST', `${url}/api/sessions/${id}/tickets`);
  const protocols = ['llmgine.v1', `llmgine.ticket.${body.ticket}`];
  await (await TestSocket.open(wsUrl(id), { protocols })).close();
  expect((await call('GET', `${url}/api/sessions`)).status).toBe(200);
  for (let n = 0; n < 20; n++) {
    expect((await call('GET', `${url}/api/sessions/${crypto.randomUUID()}`)).status).toBe(404);
  }
});

test('check 28: an event stream is a connection, too, and makes room when it ends', async () => {
  const started = await start({ maxConnectionsPerCaller: 2 });
  const { sessions, wsUrl, one } = started;
  const [ada, bob] = [await as('ada'), await as('bob')];
  const id = await createSession(started, ada);
  const theirs = await createSession(started, bob);
  const follow = (sessionId: string, who: Record<string, string>) => {
    const gone = new AbortController();
    const headers = { ...who, accept: 'text/event-stream' };
    const answer = fetch(`${sessions}/${sessionId}/events`, { headers, signal: gone.signal });
    onTestFinished(() => gone.abort());
    return answer.then(async (response) => ({
      status: response.status,
      retryAfter: Number(response.headers.get('retry-after')),
      end: () => gone.abort(),
      code: response.status === 200 ? null : ((await response.json()) as { code: string }).code,
    }));
  };

  const answers = await times(8, () => follow(id, ada));

  const open = answers.filter(({ status }) => status === 200);
  expect(open).toHaveLength(2);
  for (const refused of answers.filter(({ status }) => status !== 200)) {
    expect(refused).toMatchObject({ status: 429, code: 'RESOURCE_LIMIT_EXCEEDED' });
    expect(refused.retryAfter).toBeGreaterThan(0);
  }
  expect((await one.connect(wsUrl(id), ada)).status).toBe(429);
  expect((await follow(theirs, bob)).status).toBe(200);
  expect((await follow(id, { ...ada, 'last-event-id': 'no cursor' })).status).toBe(429);
  open[0]?.end();
  await expect.poll(async () => (await one.connect(wsUrl(id), ada)).status).toBe(101);
});

test('a command whose events find no room does not begin', async () => {
  const started = await start({ maxConnectionsPerCaller: 1 }, { apiFactory: testEngine(() => 'done') });
  const { sessions, wsUrl, one } = started;
  const ada = await as('ada');
  const id = await createSession(started, ada, { engine_type: 'TestEngine' });
  const { socket } = await one.connect(wsUrl(id), ada);
  const act = (headers: Record<string, string>) =>
    one.call('POST', `${sessions}/${id}/commands`, { ...ada, ...headers }, { command: 'act' });
  const runs = async () => (await one.call('GET', `${sessions}/${id}/runs`, ada)).body.runs.length;

  expect(await act({ accept: 'text/event-stream' })).toMatchObject({
    status: 429,
    body: { code: 'RESOURCE_LIMIT_EXCEEDED' },
  });
  expect(await runs()).toBe(0);
  expect((await act({ accept: 'text/event-stream', prefer: 'respond-async' })).status).toBe(202);
  expect((await act({})).status).toBe(200);
  socket.terminate();
});

test('a stream that cannot be opened counts as none', async () => {
  const started = await start({ maxConnectionsPerCaller: 1 });
  const { sessions, wsUrl, one } = started;
  const ada = await as('ada');
  const id = await createSession(started, ada);
  for (let n = 0; n < 3; n++) {
    const bad = await one.call('GET', `${sessions}/${id}/events?after=nonsense`, {
      ...ada,
      accept: 'text/event-stream',
    });
    expect(bad.status).toBe(400);
  }
  expect((await one.connect(wsUrl(id), ada)).status).toBe(101);
});

test('a caller that asks in its own sessions for what is not there does not look for sessions', async () => {
  const started = await start({ maxSessions: 300, requestRate: 10_000 });
  const { sessions, one } = started;
  const ada = await as('ada');
  const ids = await times(250, () => createSession(started, ada));
  const answers = await Promise.all(
    ids.map((id) => one.call('GET', `${sessions}/${id}/runs/${crypto.randomUUID()}`, ada)),
  );
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
    new Set(['404 RUN_NOT_FOUND']),
  );
  expect((await one.call('GET', sessions, ada)).status).toBe(200);
});
