/** How long the session of a browser lasts, and what ends it. */
import { ExtensibleAPIFactory } from '@llmgine/api';
import { describe, expect, test, vi } from 'vitest';
import { OPERATOR } from '../../packages/server/src/security/principal.ts';
import { logLines } from '../../packages/server/test/extensibility/log-lines.ts';
import { startApp } from '../helpers/app.ts';
import { TestBrowser } from '../helpers/cookie-browser.ts';
import { person } from '../helpers/people.ts';
import { STORAGES } from '../helpers/storages.ts';
import { say, testEngine, testGate } from '../helpers/test-engine.ts';
import { hmacToken, withDefaults } from '../helpers/tokens.ts';

const KEY = 'correct-horse-battery';
/** Messages a second: no limit that a test meets. */
const FAST = 1_000_000;
const JWT_SECRET = 'a-secret-of-32-characters-or-more';

type Options = Parameters<typeof startApp>[0];

async function start(options: Options = {}) {
  const app = await startApp({ ...options, config: { key: KEY, ...options?.config } });
  return { app, browser: new TestBrowser(app) };
}

function token(claims: object): string {
  return hmacToken({ alg: 'HS256', typ: 'JWT' }, withDefaults(claims), JWT_SECRET);
}

async function status(browser: TestBrowser): Promise<number> {
  return (await browser.call('GET', '/api/sessions')).status;
}

describe('check 21: a session that was begun with a key', () => {
  test('ends with it, with its sockets, streams and runs', async () => {
    const gate = testGate();
    const { app, browser } = await start({
      apiFactory: testEngine(async (context) => {
        say(context, 'message', 'first');
        await gate.pass();
        context.signal.throwIfAborted();
        return 'done';
      }),
    });
    const ann = await person(app);
    await browser.login(ann.key);
    const sessionId = await browser.createSession({ engine_type: 'TestEngine' });
    const [socket, stream] = [await browser.connect(sessionId), await browser.follow(sessionId)];
    const accepted = await socket.request('command', { command: 'act' });
    await gate.reached;

    // As another process does it: nothing here is told.
    await app.app.services.storage.keys.revoke(ann.keyId, Date.now());

    expect((await socket.closed).code).toBe(4010);
    await stream.ended;
    expect(await status(browser)).toBe(401);
    const key = { tenantId: 'default', ownerId: ann.principalId, sessionId };
    expect((await app.app.services.runs.result(key, accepted.data.run_id)).status).toBe('cancelled');
    gate.open();
  });

  test('and is over leaves the runs alone, until the key is revoked', async () => {
    const gate = testGate();
    const { app, browser } = await start({
      apiFactory: testEngine(async (context) => {
        await gate.pass();
        context.signal.throwIfAborted();
        return 'done';
      }),
    });
    const ann = await person(app);
    await browser.login(ann.key);
    const sessionId = await browser.createSession({ engine_type: 'TestEngine' });
    const socket = await browser.connect(sessionId);
    const accepted = await socket.request('command', { command: 'act' });
    await gate.reached;

    await browser.logout();
    await socket.closed;
    const run = `/api/sessions/${sessionId}/runs/${accepted.data.run_id}`;
    expect((await ann.call('GET', run)).body.status).toBe('running');
    await app.app.services.storage.keys.revoke(ann.keyId, Date.now());

    const key = { tenantId: 'default', ownerId: ann.principalId, sessionId };
    expect((await app.app.services.runs.result(key, accepted.data.run_id)).status).toBe('cancelled');
    gate.open();
  });

  test('may do less as soon as the key may, also on an open socket', async () => {
    const { app, browser } = await start({
      config: { websocketMessageRate: FAST, websocketMessageBurst: FAST },
    });
    const ann = await person(app);
    await browser.login(ann.key);
    const socket = await browser.connect(await browser.createSession());

    await app.app.services.keys.service.change(OPERATOR, ann.keyId, { role: 'viewer' });

    while ((await socket.request('event', { event_type: 'custom:note' })).type !== 'error');
    expect((await browser.call('POST', '/api/sessions')).status).toBe(403);
    expect((await browser.call('GET', '/api/auth/session')).body).toMatchObject({ role: 'viewer' });
  });

  test('expires with it', async () => {
    const { app, browser } = await start();
    const expiresAt = new Date(Date.now() + 400).toISOString();
    const ann = await person(app);
    await browser.login(ann.key);
    const socket = await browser.connect(await browser.createSession());

    await app.app.services.keys.service.change(OPERATOR, ann.keyId, { expires_at: expiresAt });

    expect((await socket.closed).code).toBe(4001);
    expect(await status(browser)).toBe(401);
  });

  test('has the scopes of the key, and can always ask who it is', async () => {
    const { app, browser } = await start();
    const ann = await person(app, { role: 'admin', scopes: ['metrics:read'] });
    await browser.login(ann.key);

    expect(await status(browser)).toBe(403);
    const { body } = await browser.call('GET', '/api/auth/session');
    expect([body.scopes, body.csrf_token]).toEqual([['metrics:read'], browser.csrf]);
  });
});

describe('check 21: a session that was begun with something else', () => {
  test('a token: is its subject, and expires with it', async () => {
    const { browser } = await start({ config: { jwtSecret: JWT_SECRET, jwtLeeway: 0 } });
    const exp = Math.floor(Date.now() / 1000) + 2;

    const { body } = await browser.login(token({ sub: 'ada', role: 'user', exp }));
    const socket = await browser.connect(await browser.createSession());

    expect(body).toMatchObject({ subject: 'jwt:ada', role: 'user', credential: 'session' });
    expect(body.expires_at).toBe(new Date(exp * 1000).toISOString());
    expect((await socket.closed).code).toBe(4001);
    expect(await status(browser)).toBe(401);
  });

  test('a credential of the application: is what that says', async () => {
    const apiFactory = new ExtensibleAPIFactory().registerAuthentication((credential) =>
      credential === 'open sesame' ? { id: 'ali', tenantId: 'cave', role: 'viewer' } : null,
    );
    const { browser } = await start({ apiFactory });

    const { body } = await browser.login('open sesame');

    expect(body).toMatchObject({ subject: 'custom:ali', tenant_id: 'cave', role: 'viewer' });
    expect((await browser.call('GET', '/api/auth/session')).body).toEqual(body);
    expect((await browser.call('POST', '/api/sessions')).status).toBe(403);
  });

  test('a credential of a tenant: sees nothing of the others', async () => {
    const { app, browser } = await start();
    const [one, two] = [
      await person(app, { tenant_id: 'one', principal_id: 'ann' }),
      await person(app, { tenant_id: 'two', principal_id: 'ann' }),
    ];
    const sessionId = await one.createSession();

    await browser.login(two.key);

    expect((await browser.call('GET', `/api/sessions/${sessionId}`)).status).toBe(404);
  });
});

describe.each(STORAGES)('check 21: a restart, with %s,', (_name, makeConfig) => {
  test('logs nobody out but those whose credential the configuration does not know any more', async () => {
    const config = { ...(await makeConfig()), jwtSecret: JWT_SECRET };
    const { app, browser } = await start({ config });
    const browsers = [browser, new TestBrowser(app), new TestBrowser(app)] as const;
    await browsers[0].login(KEY);
    await browsers[1].login(token({}));
    await browsers[2].login((await person(app)).key);
    await app.app.close();
    const statusesWith = async (changes: object) => {
      const again = await startApp({ config: { key: KEY, ...config, ...changes } });
      const moved = browsers.map((one) =>
        Object.assign(new TestBrowser(again), { cookie: one.cookie, csrf: one.csrf }),
      );
      const statuses = await Promise.all(moved.map(status));
      await again.app.close();
      return statuses;
    };

    expect(await statusesWith({})).toEqual([200, 200, 200]);
    expect(await statusesWith({ key: `${KEY}-2` })).toEqual([401, 200, 200]);
    expect(await statusesWith({ jwtSecret: `${JWT_SECRET}-2` })).toEqual([200, 401, 200]);
    expect(await statusesWith({})).toEqual([200, 200, 200]);
  });
});

describe('check 5 and 21: the lifetimes of a session', () => {
  test('end it with its socket, however much it is used', async () => {
    const { app, browser } = await start({ config: { browserSessionLifetime: 1 } });
    const { body, headers } = await browser.login((await person(app)).key);
    const socket = await browser.connect(await browser.createSession());
    expect(headers.getSetCookie()[0]).toContain('Max-Age=1');
    expect(Date.parse(body.expires_at)).toBeLessThanOrEqual(Date.now() + 1000);

    expect((await socket.closed).code).toBe(4001);

    expect(await status(browser)).toBe(401);
  });

  test('end one that nobody uses, with its socket, and not one over whose socket something is done', async () => {
    const { app, browser } = await start({
      config: { browserSessionIdleTimeout: 4, websocketMessageRate: FAST, websocketMessageBurst: FAST },
    });
    const busy = new TestBrowser(app);
    const { key } = await person(app);
    await browser.login(key);
    await busy.login(key);
    const sessionId = await browser.createSession();
    const [idles, works] = [await browser.connect(sessionId), await busy.connect(sessionId)];

    let ended = false;
    void idles.closed.then(() => {
      ended = true;
    });
    const note = { event_type: 'custom:note' };
    while (!ended) expect((await works.request('event', note)).type).toBe('event_published');

    expect((await idles.closed).code).toBe(4001);
    expect(await status(browser)).toBe(401);
    expect(await status(busy)).toBe(200);
  });
});

describe('check 21: on the same machine', () => {
  const local = async (config: object = {}) => {
    const app = await startApp({ config });
    return { app, browser: new TestBrowser(app) };
  };

  test('nobody has to log in, and a page can tell', async () => {
    const { browser } = await local();

    const { status: found, body } = await browser.call('GET', '/api/auth/session');

    expect(found).toBe(200);
    expect(body).toEqual({
      subject: 'operator',
      tenant_id: 'default',
      role: 'admin',
      scopes: null,
      credential: 'none',
      local: true,
      expires_at: null,
      csrf_token: null,
    });
  });

  test('whoever has logged in is who that was, and the operator again afterwards', async () => {
    const { app, browser } = await local();
    const ann = await person(app);
    await browser.login(ann.key);

    expect((await browser.call('GET', '/api/auth/session')).body.subject).toBe(ann.principalId);
    await browser.logout();

    expect((await browser.call('GET', '/api/auth/session')).body.credential).toBe('none');
  });

  test.each([
    ['another site', { origin: 'https://evil.example' }, 401],
    ['another site that a name leads here', { host: 'evil.example', origin: 'http://evil.example' }, 401],
    ['a sandbox', { origin: 'null' }, 401],
    ['somebody behind a proxy', { 'x-forwarded-for': '203.0.113.9' }, 401],
  ])('a cookie that is dead, or made up, gets %s nothing', async (_who, headers, expected) => {
    const { app, browser } = await local();
    await browser.login((await person(app)).key);
    const dead = { ...browser.cookies };
    await browser.logout();

    for (const cookie of [dead, { cookie: `__Host-llmgine=${'A'.repeat(43)}` }, {}]) {
      const answers = [
        await browser.send('GET', '/api/sessions', undefined, { ...cookie, ...headers }),
        await browser.send('POST', '/api/sessions', undefined, { ...cookie, ...headers }),
        await browser.send('GET', '/api/auth/session', undefined, { ...cookie, ...headers }),
      ];
      expect(answers.map((one) => one.status)).toEqual([expected, expected, expected]);
    }
    expect((await browser.call('GET', '/api/sessions')).body.total).toBe(0);
  });

  test('a cookie that is dead is none: the operator goes on, and is rid of it', async () => {
    const { app, browser } = await local();
    await browser.login((await person(app)).key);
    const dead = { ...browser.cookies };
    await browser.logout();

    expect((await browser.send('POST', '/api/sessions', undefined, dead)).status).toBe(201);
    const { body, headers } = await browser.send('GET', '/api/auth/session', undefined, dead);
    expect(body.credential).toBe('none');
    expect(headers.getSetCookie()).toEqual([expect.stringContaining('Max-Age=0')]);
  });

  test('where everybody is let in there is nothing to log in to', async () => {
    const { browser } = await local({ auth: 'none' });

    const { status: found, body, headers } = await browser.login('whatever');

    expect([found, body.credential, headers.getSetCookie()]).toEqual([200, 'none', []]);
  });
});

describe('check 21: who is not logged in', () => {
  test('is told 401 by the question who it is, loses a dead cookie, and may log out', async () => {
    const { app, browser } = await start();
    await browser.login((await person(app)).key);
    const dead = { ...browser.cookies };
    await browser.logout();

    const asked = await browser.send('GET', '/api/auth/session', undefined, dead);
    const out = await browser.send('POST', '/api/auth/logout', undefined, dead);
    const without = await browser.send('GET', '/api/auth/session');

    expect([asked.status, out.status, without.status]).toEqual([401, 204, 401]);
    for (const { headers } of [asked, out]) expect(headers.getSetCookie()[0]).toContain('Max-Age=0');
    expect(without.headers.getSetCookie()).toEqual([]);
    await expect(browser.connect('00000000-0000-4000-8000-000000000000')).rejects.toThrow('401');
  });

  test('is not let in while the storage cannot tell', async () => {
    const { app, browser } = await start();
    await browser.login((await person(app)).key);
    const sessionId = await browser.createSession();
    const { storage } = app.app.services;
    // Longer than what was read before is good for.
    await browser.logout();
    await browser.login((await person(app)).key);
    vi.spyOn(storage.browserSessions, 'get').mockRejectedValue(new Error('the disk is gone'));

    const { status: found, body } = await browser.call('GET', '/api/sessions');

    expect([found, body.code]).toEqual([500, 'INTERNAL_ERROR']);
    await expect(browser.connect(sessionId)).rejects.toThrow('500');
  });

  test('and the reference page is open to whoever is', async () => {
    const { app, browser } = await start();
    expect((await fetch(`${app.url}/docs`, { headers: browser.cookies })).status).toBe(401);
    await browser.login((await person(app)).key);

    expect((await fetch(`${app.url}/docs`, { headers: browser.cookies })).status).toBe(200);
  });

  test('finds nothing of a cookie in the data, the log or the audit log', async () => {
    const log = logLines('trace');
    const { app, browser } = await start({ logger: log.logger });
    const { storage, audit } = app.app.services;
    await browser.login((await person(app)).key);
    const socket = await browser.connect(await browser.createSession());
    const secret = String(browser.cookie).split('=')[1] ?? '';
    const csrf = String(browser.csrf);
    const { body } = await browser.call('GET', '/api/auth/session');
    await browser.logout();
    await socket.closed;
    await audit.flush();
    await browser.login(KEY);
    const entries = (await browser.call('GET', '/api/admin/audit')).body.entries as {
      target: { kind: string; id: string } | null;
    }[];
    const id = entries.find(({ target }) => target?.kind === 'browser_session')?.target?.id ?? '';
    const all = log.lines.join('\n') + JSON.stringify([entries, await storage.browserSessions.get([id])]);

    expect(secret).toHaveLength(43);
    expect(log.lines.length).toBeGreaterThan(5);
    for (const text of [secret, csrf]) expect(all).not.toContain(text);
    expect(JSON.stringify(body)).not.toContain(secret);
  });
});
