import { describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { TestBrowser } from '../helpers/cookie-browser.ts';
import { person } from '../helpers/people.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const KEY = 'correct-horse-battery';
const EVIL = 'https://evil.example';

async function start(options: Parameters<typeof startApp>[0] = {}) {
  const app = await startApp({ ...options, config: { key: KEY, ...options.config } });
  const ann = await person(app);
  const browser = new TestBrowser(app);
  return { app, ann, browser };
}

async function loggedIn(options?: Parameters<typeof startApp>[0]) {
  const all = await start(options);
  const { status } = await all.browser.login(all.ann.key);
  expect(status).toBe(200);
  return { ...all, sessionId: await all.browser.createSession() };
}

/** The actions in the audit log, the oldest first. */
async function audited({
  app,
  url,
}: TestApp): Promise<{ action: string; principal: { id: string } | null }[]> {
  await app.services.audit.flush();
  const headers = { authorization: `Bearer ${KEY}` };
  const { body } = await call('GET', `${url}/api/admin/audit`, undefined, headers);
  return body.entries.toReversed();
}

describe('check 21: logging in', () => {
  test('gives a cookie that no script reads, no other site sends and no other host sets', async () => {
    const { ann, browser } = await start();

    const { status, body, headers } = await browser.login(ann.key);

    const [cookie, ...attributes] = headers.getSetCookie().join('').split('; ');
    expect(status).toBe(200);
    // 256 bits.
    expect(cookie).toMatch(/^__Host-llmgine=[A-Za-z0-9_-]{43}$/);
    expect(attributes.sort()).toEqual(['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Strict', 'Secure']);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      subject: ann.principalId,
      tenant_id: 'default',
      role: 'user',
      scopes: null,
      credential: 'session',
      local: false,
      expires_at: expect.stringMatching(/Z$/),
      csrf_token: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
    expect(JSON.stringify(body)).not.toContain(String(cookie).split('=')[1]);
  });

  test('makes the browser the principal of the key: the same sessions, and nobody else’s', async () => {
    const { app, ann, browser } = await start();
    const [sessionId, bob] = [await ann.createSession(), await person(app)];
    const theirs = await bob.createSession();
    await browser.login(ann.key);

    const listed = await browser.call('GET', '/api/sessions');

    expect(listed.body.sessions.map((one: { session_id: string }) => one.session_id)).toEqual([sessionId]);
    for (const [method, path] of [
      ['GET', `/api/sessions/${theirs}`],
      ['DELETE', `/api/sessions/${theirs}`],
      ['POST', `/api/sessions/${theirs}/tickets`],
      ['GET', `/api/sessions/${theirs}/events`],
    ] as const) {
      expect((await browser.call(method, path)).status).toBe(404);
    }
    const foreign = await browser.connect(theirs);
    expect((await foreign.closed).code).toBe(4004);
  });

  test('as a viewer allows reading, over REST and on the socket', async () => {
    const { app, ann, browser } = await start();
    const sessionId = await ann.createSession();
    const viewer = await person(app, { role: 'viewer', principal_id: ann.principalId });
    expect((await browser.login(viewer.key)).body.role).toBe('viewer');

    expect((await browser.call('GET', `/api/sessions/${sessionId}`)).status).toBe(200);
    expect((await browser.call('DELETE', `/api/sessions/${sessionId}`)).status).toBe(403);
    expect((await browser.call('GET', '/api/admin/keys')).status).toBe(403);
    const socket = await browser.connect(sessionId);
    expect((await socket.request('event', { event_type: 'custom:note' })).data.code).toBe('FORBIDDEN');
    expect((await socket.request('history')).type).toBe('history_response');
  });

  test.each(['a wrong key', 'the cookie of a session', 'a ticket'] as const)(
    'with %s is refused, and sets no cookie',
    async (what) => {
      const { app, ann, browser } = await start();
      const other = new TestBrowser(app);
      await other.login(ann.key);
      const id = await ann.createSession();
      const { ticket } = (await ann.call('POST', `/api/sessions/${id}/tickets`)).body;
      const token = {
        'a wrong key': `${ann.key}x`,
        'the cookie of a session': String(other.cookie).split('=')[1] ?? '',
        'a ticket': `llmgine.ticket.${ticket}`,
      }[what];

      const { status, headers } = await browser.login(token);

      expect([status, headers.getSetCookie()]).toEqual([401, []]);
      const asBearer = { authorization: `Bearer ${token}` };
      expect((await call('GET', `${app.url}/api/sessions`, undefined, asBearer)).status).toBe(401);
      const actions = (await audited(app)).map(({ action }) => action);
      expect(actions.filter((action) => action === 'login.refused')).toHaveLength(1);
    },
  );

  test('is no way to guess: wrong keys block the address as they do elsewhere', async () => {
    const { browser } = await start();
    const statuses = new Set<number>();
    for (let count = 0; count < 60 && !statuses.has(429); count++) {
      statuses.add((await browser.login(`llmgine_key_wrong_${count}`)).status);
    }

    expect([...statuses]).toEqual([401, 429]);
  });

  test('and out is in the audit log, each once, with who it was', async () => {
    const { app, ann, browser } = await start();
    await browser.login(ann.key);
    await browser.logout();

    const entries = (await audited(app)).filter(({ action }) => /^log/.test(action));
    expect(entries.map(({ action, principal }) => [action, principal?.id])).toEqual([
      ['login.succeeded', ann.principalId],
      ['logout', ann.principalId],
    ]);
  });

  test.each([
    ['a page from elsewhere', { origin: EVIL }, 403],
    ['a page that says nothing of itself but is elsewhere', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a sandboxed page', { origin: 'null' }, 403],
    ['a program', {}, 200],
  ] as const)('by %s', async (_who, headers, expected) => {
    const { app, ann } = await start();
    const answer = await call('POST', `${app.url}/api/auth/login`, { token: ann.key }, headers);

    expect(answer.status).toBe(expected);
    expect(answer.headers.getSetCookie()).toHaveLength(expected === 200 ? 1 : 0);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])(
    'takes no %s, which a form of another page could send',
    async (type) => {
      const { app, ann } = await start();
      const answer = await fetch(`${app.url}/api/auth/login`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: JSON.stringify({ token: ann.key }),
      });

      expect([answer.status, answer.headers.getSetCookie()]).toEqual([415, []]);
    },
  );

  test('again in the same browser ends the session before', async () => {
    const { app, ann, browser } = await start();
    const bob = await person(app);
    await browser.login(ann.key);
    const before = browser.cookies;

    await browser.login(bob.key);

    expect((await browser.call('GET', '/api/auth/session')).body.subject).toBe(bob.principalId);
    expect((await call('GET', `${app.url}/api/sessions`, undefined, before)).status).toBe(401);
  });

  test('in a twenty-first browser of a principal logs the first one out, and nobody else', async () => {
    const { app, ann, browser: first } = await start();
    const [bob, others] = [await person(app), new TestBrowser(app)];
    await first.login(ann.key);
    await others.login(bob.key);
    const second = new TestBrowser(app);
    await second.login(ann.key);

    await Promise.all(Array.from({ length: 19 }, () => new TestBrowser(app).login(ann.key)));

    const statuses = [first, second, others].map((one) => one.call('GET', '/api/sessions'));
    expect((await Promise.all(statuses)).map(({ status }) => status)).toEqual([401, 200, 200]);
  });
});

describe('check 21: requests with the cookie', () => {
  const write = (browser: TestBrowser, headers: Record<string, string>) =>
    browser.send('POST', '/api/sessions', undefined, headers);

  test.each([
    ['without the token', () => ({})],
    [
      'with no more than a piece of it',
      ({ csrf }: TestBrowser) => ({ 'x-csrf-token': csrf?.slice(0, -1) ?? '' }),
    ],
    [
      'with the cookie for a token',
      ({ cookie }: TestBrowser) => ({ 'x-csrf-token': cookie?.split('=')[1] ?? '' }),
    ],
    ['with an empty token', () => ({ 'x-csrf-token': '' })],
  ] as const)('%s change nothing', async (_how, headersOf) => {
    const { browser } = await loggedIn();

    const answer = await write(browser, { ...browser.own, ...headersOf(browser) });

    expect([answer.status, answer.body.code]).toEqual([403, 'FORBIDDEN']);
    expect((await browser.call('GET', '/api/sessions')).body.sessions).toHaveLength(1);
  });

  test('with the token of another session of the same person change nothing', async () => {
    const { app, ann, browser } = await loggedIn();
    const other = new TestBrowser(app);
    await other.login(ann.key);

    expect((await write(browser, { ...browser.own, 'x-csrf-token': String(other.csrf) })).status).toBe(403);
    expect((await write(other, { ...other.own, 'x-csrf-token': String(other.csrf) })).status).toBe(201);
  });

  test('need the token for every method that may change something', async () => {
    const { browser, sessionId } = await loggedIn();
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status } = await browser.send(method, `/api/sessions/${sessionId}`, undefined, browser.own);
      expect([method, status]).toEqual([method, method === 'DELETE' ? 403 : status]);
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect((await browser.call('GET', `/api/sessions/${sessionId}`)).status).toBe(200);
  });

  test.each([
    ['another site', { origin: EVIL, 'sec-fetch-site': 'cross-site' }],
    ['another site, in an old browser', { origin: EVIL }],
    ['another site, that hides its origin', { 'sec-fetch-site': 'cross-site' }],
    ['a sandbox', { origin: 'null' }],
    [
      'a neighbour under the same domain',
      { origin: 'https://blog.localhost.example', 'sec-fetch-site': 'same-site' },
    ],
    ['a neighbour that hides its origin', { 'sec-fetch-site': 'same-site' }],
  ])('from %s are refused, also with the right token', async (_page, headers) => {
    const { browser, sessionId } = await loggedIn();

    const answers = [
      await write(browser, { ...headers, 'x-csrf-token': String(browser.csrf) }),
      await browser.send('DELETE', `/api/sessions/${sessionId}`, undefined, {
        ...headers,
        'x-csrf-token': String(browser.csrf),
      }),
      await browser.send('POST', '/api/auth/logout', undefined, {
        ...headers,
        'x-csrf-token': String(browser.csrf),
      }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
    expect(answers.flatMap((one) => one.headers.getSetCookie())).toEqual([]);
    expect((await browser.call('GET', `/api/sessions/${sessionId}`)).status).toBe(200);
  });

  test('of a page that is configured are let in, and its preflight allows the token', async () => {
    const origin = 'https://app.example';
    const { app, browser } = await loggedIn({ config: { corsOrigins: origin } });

    const preflight = await fetch(`${app.url}/api/sessions`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x-csrf-token',
      },
    });
    const answer = await write(browser, { origin, 'x-csrf-token': String(browser.csrf) });

    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('x-csrf-token');
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([201, origin]);
  });

  test('show no page from elsewhere anything, and no answer names every origin', async () => {
    const { browser } = await loggedIn();

    const { status, headers } = await browser.send('GET', '/api/auth/session', undefined, { origin: EVIL });

    expect([status, headers.get('access-control-allow-origin')]).toEqual([403, null]);
  });

  test('and another credential go by that one', async () => {
    const { app, browser } = await loggedIn();
    const bob = await person(app);

    const answer = await browser.send('POST', '/api/sessions', undefined, bob.headers);
    const session = await browser.send('GET', '/api/auth/session', undefined, bob.headers);
    const wrong = await browser.send('GET', '/api/sessions', undefined, { authorization: 'Bearer wrong' });

    expect(answer.status).toBe(201);
    expect(session.body).toMatchObject({ subject: bob.principalId, credential: 'key', csrf_token: null });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.getSetCookie()).toEqual([]);
  });

  test.each([
    ['cut', (value: string) => value.slice(0, -1)],
    ['longer', (value: string) => `${value}A`],
    ['another one', (value: string) => (value.startsWith('A') ? 'B' : 'A') + value.slice(1)],
    ['empty', () => ''],
    ['twice, and so two', (value: string) => `${value}; __Host-llmgine=${'A'.repeat(43)}`],
    ['a digest', (value: string) => value.split('').toReversed().join('')],
  ])('that is %s are those of nobody', async (_how, change) => {
    const { app, browser } = await loggedIn();
    const [name, value = ''] = String(browser.cookie).split('=');
    const headers = { cookie: `${name}=${change(value)}` };

    expect((await call('GET', `${app.url}/api/sessions`, undefined, headers)).status).toBe(401);
    // Nor by another name.
    const other = { cookie: `llmgine=${value}; x__Host-llmgine=${value}; __host-llmgine=${value}` };
    expect((await call('GET', `${app.url}/api/sessions`, undefined, other)).status).toBe(401);
  });

  test('among other cookies are known', async () => {
    const { app, browser } = await loggedIn();
    const headers = { cookie: `theme=dark; ${browser.cookie}; lang=de` };

    expect((await call('GET', `${app.url}/api/sessions`, undefined, headers)).status).toBe(200);
  });
});

describe('check 21: sockets and streams with the cookie', () => {
  test('are open to pages of the server', async () => {
    const { browser, sessionId } = await loggedIn();
    const socket = await browser.connect(sessionId);
    const [bySite, byOrigin] = [
      await browser.follow(sessionId),
      await browser.follow(sessionId, { origin: browser.url }),
    ];

    expect((await socket.request('event', { event_type: 'custom:note' })).type).toBe('event_published');
    await Promise.all([bySite.findEvent('custom:note'), byOrigin.findEvent('custom:note')]);
  });

  test.each([
    ['no page at all', {}],
    ['another site', { origin: EVIL }],
    ['a sandbox', { origin: 'null' }],
    ['another site that came through', { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }],
    ['a neighbour', { origin: 'https://blog.localhost.example', 'sec-fetch-site': 'same-site' }],
  ])('are not open to %s', async (_page, headers: Record<string, string>) => {
    const { browser, sessionId } = await loggedIn({ config: { corsOrigins: 'https://app.example' } });
    const path = `/api/sessions/${sessionId}/events`;

    await expect(browser.connect(sessionId, headers)).rejects.toThrow('403');
    const stream = await browser.send('GET', path, undefined, { ...headers, accept: 'text/event-stream' });
    expect(stream.status).toBe(403);
  });

  test('behind TLS, are open to the page of their own name, and to none that came without it', async () => {
    const { app, browser, sessionId } = await loggedIn();
    const open = (headers: Record<string, string>) => browser.connect(sessionId, headers);
    const host = 'llm.example.com';

    expect((await (await open({ host, origin: `https://${host}` })).request('ping')).type).toBe('pong');
    for (const origin of [
      `http://${host}`,
      `https://${host}:444`,
      `https://x.${host}`,
      'http://localhost:5173',
    ]) {
      await expect(open({ host, origin })).rejects.toThrow('403');
    }
    // The name alone lets nobody in.
    const page = { headers: { host, origin: `https://${host}` } };
    await expect(TestSocket.open(app.wsUrl(sessionId), page)).rejects.toThrow('401');
  });

  test('a ticket wins over the cookie', async () => {
    const { app, browser } = await loggedIn();
    const bob = await person(app);
    const theirs = await bob.createSession();
    const { ticket } = (await bob.call('POST', `/api/sessions/${theirs}/tickets`)).body;

    const socket = await TestSocket.open(app.wsUrl(theirs), {
      headers: browser.cookies,
      protocols: ['llmgine.v1', `llmgine.ticket.${ticket}`],
    });
    expect((await socket.request('ping')).type).toBe('pong');
  });
});

describe.each(STORAGES)('check 21: logging out, with %s,', (_name, makeConfig) => {
  test('ends the cookie, its sockets, streams and tickets at once, and nothing else of the person', async () => {
    const { app, ann, browser, sessionId } = await loggedIn({ config: await makeConfig() });
    const other = new TestBrowser(app);
    await other.login(ann.key);
    const [socket, stays] = [await browser.connect(sessionId), await other.connect(sessionId)];
    const stream = await browser.follow(sessionId);
    const { ticket } = (await browser.call('POST', `/api/sessions/${sessionId}/tickets`)).body;
    const stolen = { ...browser.cookies };

    const answer = await browser.logout();

    expect([answer.status, answer.headers.getSetCookie()]).toEqual([
      204,
      ['__Host-llmgine=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0'],
    ]);
    expect((await call('GET', `${app.url}/api/sessions`, undefined, stolen)).status).toBe(401);
    expect((await socket.closed).code).toBe(4010);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'error', data: { code: 'UNAUTHENTICATED' } });
    const protocols = ['llmgine.v1', `llmgine.ticket.${ticket}`];
    const withTicket = { protocols, headers: { origin: app.url } };
    await expect(TestSocket.open(app.wsUrl(sessionId), withTicket)).rejects.toThrow('401');
    expect((await stays.request('ping')).type).toBe('pong');
    expect((await ann.call('GET', '/api/sessions')).status).toBe(200);
    // Twice is no error.
    expect((await browser.logout()).status).toBe(204);
  });
});

test('check 21: logging out in one process ends the cookie, and what it keeps open, in another', async () => {
  const { url: databaseUrl } = await testDatabase();
  const { browser, sessionId } = await loggedIn({ config: { databaseUrl } });
  const elsewhere = await startServer({ LLMGINE_API_DATABASE_URL: databaseUrl, LLMGINE_API_KEY: KEY });
  const same = new TestBrowser(elsewhere);
  Object.assign(same, { cookie: browser.cookie, csrf: browser.csrf });
  expect((await same.call('POST', `/api/sessions/${sessionId}/tickets`)).status).toBe(201);
  const socket = await same.connect(sessionId);

  expect((await browser.logout()).status).toBe(204);

  // What was read before holds for a moment.
  while ((await same.call('GET', '/api/sessions')).status !== 401);
  expect((await socket.closed).code).toBe(4010);
});
