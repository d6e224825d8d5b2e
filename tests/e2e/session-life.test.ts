/** From create to expiry. */
import { ApiError } from '@llmgine/api';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { testEngine, testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

/** Seconds. Every test waits for what happens and not for this; some have to do something before it is over. */
const TIMEOUT = 1;

async function startShort(config: object = {}, apiFactory = testEngine(() => null)) {
  const app = await startApp({ apiFactory, config: { sessionTimeout: TIMEOUT, ...config } });
  const session = (id: string) => call('GET', `${app.url}/api/sessions/${id}`);
  const count = async () => (await call('GET', `${app.url}/health/ready`)).body.services.sessions.count;
  return { ...app, session, count };
}

describe('expiry', () => {
  test('an untouched session expires: its sockets close with 4004, it is gone, and its rows go', async () => {
    const { app, url, wsUrl, createSession, session, count } = await startShort();
    const id = await createSession({ engine_type: 'TestEngine', metadata: { a: 'b' } });
    const silent = await TestSocket.open(wsUrl(id));
    const modern = await TestSocket.open(wsUrl(id));
    await modern.run('act', {});
    const stream = await TestStream.open(`${url}/api/sessions/${id}/events`);

    // An open socket alone does not keep it, and neither does an open stream.
    const [closed] = await Promise.all([silent.closed, modern.closed, stream.ended]);

    expect(closed).toMatchObject({ code: 4004 });
    // Who never asked for more than the original protocol sees the close code alone.
    expect(silent.frames).toEqual([]);
    expect(modern.frames.at(-1)).toMatchObject({ type: 'error', data: { code: 'SESSION_NOT_FOUND' } });
    expect(await session(id)).toMatchObject({ status: 404, body: { code: 'SESSION_NOT_FOUND' } });
    for (const path of ['events', 'messages', 'runs', 'engine']) {
      expect((await call('GET', `${url}/api/sessions/${id}/${path}`)).status).toBe(404);
    }
    expect((await call('GET', `${url}/api/sessions`)).body).toMatchObject({ sessions: [], total: 0 });
    const again = await TestSocket.open(wsUrl(id));
    expect(await again.closed).toMatchObject({ code: 4004 });
    expect(await count()).toBe(0);
    await expect.poll(() => app.services.storage.purge(1)).toBe(false);
  });

  test('nothing is gone before its time, and everything that is due goes', async () => {
    const timeout = 0.2;
    const { app, createSession, session, count } = await startShort({ sessionTimeout: timeout });
    const ids = await Promise.all(Array.from({ length: 50 }, () => createSession()));
    const last = ids.at(-1) as string;
    const created = Date.parse((await session(last)).body.created_at);
    await expect.poll(() => session(last), { interval: 10 }).toMatchObject({ status: 404 });
    expect(Date.now() - created).toBeGreaterThanOrEqual(timeout * 1000);
    await expect.poll(() => count()).toBe(0);
    expect(app.services.sessions.monitorRunning).toBe(true);
  });

  test('a timeout of 0 is never', async () => {
    const { url, createSession, session } = await startShort({ sessionTimeout: 0 });
    const id = await createSession();
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 365 * 86_400_000 });
    expect(await session(id)).toMatchObject({ status: 200, body: { status: 'idle' } });
    expect((await call('GET', `${url}/api/sessions`)).body.total).toBe(1);
  });

  test('a session does not expire during a run, nor while one is queued, and its time begins with the end', async () => {
    const gate = testGate();
    const { wsUrl, createSession, session, count } = await startShort(
      { maxConcurrentRuns: 1 },
      testEngine(({ parameters }) => (parameters.wait ? gate.pass() : null)),
    );
    const [running, queued, other] = (await Promise.all(
      Array.from({ length: 3 }, () => createSession({ engine_type: 'TestEngine' })),
    )) as [string, string, string];
    const socket = await TestSocket.open(wsUrl(running));
    const waiting = await TestSocket.open(wsUrl(queued));
    const first = socket.run('act', { wait: true });
    await gate.reached;
    const second = waiting.run('act', {});
    await waiting.findType('command_accepted');

    await expect.poll(() => session(other)).toMatchObject({ status: 404 });
    await expect.poll(() => count()).toBe(2);
    expect((await session(running)).body.status).toBe('running');
    expect((await session(queued)).body.status).toBe('running');
    gate.open();

    expect((await first).status).toBe('completed');
    expect((await second).status).toBe('completed');
    expect((await session(running)).status).toBe(200);
    expect(await socket.closed).toMatchObject({ code: 4004 });
    expect(await waiting.closed).toMatchObject({ code: 4004 });
  });

  test('a session whose only run was cancelled in the queue expires', async () => {
    const gate = testGate();
    const { wsUrl, createSession, session } = await startShort(
      { maxConcurrentRuns: 1 },
      testEngine(() => gate.pass()),
    );
    const busy = await TestSocket.open(wsUrl(await createSession({ engine_type: 'TestEngine' })));
    const id = await createSession({ engine_type: 'TestEngine' });
    const other = await createSession();
    const socket = await TestSocket.open(wsUrl(id));
    const first = busy.run('act', {});
    await gate.reached;
    const second = socket.run('act', {});
    await socket.findType('command_accepted');
    // The deadline that was set when it was made has passed.
    await expect.poll(() => session(other)).toMatchObject({ status: 404 });

    await socket.request('cancel');

    expect((await second).status).toBe('cancelled');
    expect(await socket.closed).toMatchObject({ code: 4004 });
    gate.open();
    await first;
  });

  test('sessions expire after a restart too', async () => {
    const config = { databaseUrl: `sqlite:${await tempDir()}/db`, sessionTimeout: 0.2 };
    const first = await startApp({ config });
    const id = await first.createSession();
    await first.app.close();
    const second = await startApp({ config });
    await expect.poll(() => call('GET', `${second.url}/api/sessions/${id}`)).toMatchObject({ status: 404 });
    await expect.poll(() => second.app.services.storage.counts()).toMatchObject({ sessions: 0 });
  });
});

describe('touching', () => {
  async function startOne() {
    const app = await startApp({ config: { sessionIdleTimeout: 0.02 } });
    const id = await app.createSession({ engine_type: 'ToolChatEngine' });
    const url = `${app.url}/api/sessions/${id}`;
    const socket = await TestSocket.open(app.wsUrl(id));
    const touchedAt = async () => Date.parse((await call('GET', url)).body.last_interaction_at);
    /** Idle, so that the clock has moved on since it was last touched. */
    const idle = () => expect.poll(async () => (await call('GET', url)).body.status).toBe('idle');
    return { ...app, id, url, socket, touchedAt, idle };
  }

  test.each([
    ['hello', {}, true],
    ['get_engine_types', {}, false],
    ['ping', {}, false],
    ['status', {}, false],
    ['history', {}, false],
    ['subscribe', {}, false],
    ['unsubscribe', {}, false],
    ['cancel', {}, true],
    ['link_engine', { engine_type: 'SinglePassEngine' }, true],
    ['unlink_engine', {}, true],
    ['event', { event_type: 'custom:x' }, true],
    ['command', { command: 'prompt', parameters: { prompt: 'Hi' } }, true],
  ] as const)('the frame %s %j touches the session: %s', async (type, data, touches) => {
    const { socket, touchedAt, idle } = await startOne();
    await idle();
    const before = await touchedAt();

    const reply = await socket.request(type, data);
    // Answers to one connection are in order, so what the frame did is done.
    if (type === 'command') await socket.findType('command_result');

    expect(reply.type === 'error' ? reply.data.code : reply.type).not.toBe('VALIDATION_ERROR');
    if (touches) expect(await touchedAt()).toBeGreaterThan(before);
    else expect(await touchedAt()).toBe(before);
  });

  test.each([
    ['GET', '', undefined, false],
    ['GET', '/events', undefined, false],
    ['GET', '/messages', undefined, false],
    ['GET', '/runs', undefined, false],
    ['GET', '/engine', undefined, false],
    ['PUT', '/engine', { engine_type: 'ToolChatEngine' }, true],
    ['DELETE', '/engine', undefined, true],
    ['POST', '/events', { event_type: 'custom:x' }, true],
    ['POST', '/commands', { command: 'prompt', parameters: { prompt: 'Hi' } }, true],
  ] as const)('%s %s %j touches the session: %s', async (method, path, body, touches) => {
    const { url, touchedAt, idle } = await startOne();
    await idle();
    const before = await touchedAt();

    expect((await call(method, url + path, body)).status).toBeLessThan(300);

    if (touches) expect(await touchedAt()).toBeGreaterThan(before);
    else expect(await touchedAt()).toBe(before);
  });

  test('what is touched lives on, what is not expires', async () => {
    const { wsUrl, createSession, session } = await startShort();
    const [used, unused] = [await createSession(), await createSession()];
    const socket = await TestSocket.open(wsUrl(used));
    while ((await session(unused)).status === 200) await socket.request('hello');
    expect((await session(used)).status).toBe(200);
    expect((await socket.request('ping')).type).toBe('pong');
  });
});

describe('idle', () => {
  test('idle is computed: an untouched session is idle, a used or running one is not', async () => {
    const gate = testGate();
    const { url, wsUrl, createSession } = await startApp({
      apiFactory: testEngine(() => gate.pass()),
      config: { sessionIdleTimeout: 0.05 },
    });
    const id = await createSession({ engine_type: 'TestEngine' });
    const status = async () => (await call('GET', `${url}/api/sessions/${id}`)).body.status;
    await expect.poll(status).toBe('idle');
    const socket = await TestSocket.open(wsUrl(id));
    expect((await socket.request('status')).data.session_status).toBe('idle');
    const result = socket.run('act', {});
    await gate.reached;
    expect(await status()).toBe('running');
    const created = await createSession();
    await expect
      .poll(async () => (await call('GET', `${url}/api/sessions/${created}`)).body.status)
      .toBe('idle');
    expect(await status()).toBe('running');
    const list = (query: string) => call('GET', `${url}/api/sessions?${query}`);
    expect((await list('status=idle')).body).toMatchObject({ total: 1, sessions: [{ session_id: created }] });
    expect((await list('status=running')).body).toMatchObject({ total: 1, sessions: [{ session_id: id }] });
    gate.open();
    await result;
    await expect.poll(status).toBe('idle');
  });
});

describe('limits and lists', () => {
  test('without room a session is refused with 429 and Retry-After; the next fits when one is gone', async () => {
    const { url, createSession } = await startApp({ config: { maxSessions: 2 } });
    const [first] = [await createSession(), await createSession()];

    const refused = await call('POST', `${url}/api/sessions`);

    expect(refused).toMatchObject({ status: 429, body: { code: 'RESOURCE_LIMIT_EXCEEDED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    await call('DELETE', `${url}/api/sessions/${first}`);
    expect((await call('POST', `${url}/api/sessions`)).status).toBe(201);
    expect((await call('POST', `${url}/api/sessions`)).status).toBe(429);
  });

  test('expired sessions take no room', async () => {
    const { url, createSession } = await startShort({ maxSessions: 1 });
    await createSession();
    const create = () => call('POST', `${url}/api/sessions`);
    expect((await create()).status).toBe(429);
    await expect.poll(create).toMatchObject({ status: 201 });
  });

  test('many that want the last place at once: one gets it', async () => {
    const { url, createSession } = await startApp({ config: { maxSessions: 2 } });
    await createSession();
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST', `${url}/api/sessions`)));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array.from({ length: 19 }, () => 429)]);
  });

  test('lists are paged by cursor and offset, filtered by status and metadata, newest first', async () => {
    const { url, createSession } = await startApp();
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) ids.unshift(await createSession({ metadata: { n: n % 2, team: 'red' } }));
    const list = async (query: string) => (await call('GET', `${url}/api/sessions?${query}`)).body;
    const idsOf = ({ sessions }: { sessions: { session_id: string }[] }) => sessions.map((s) => s.session_id);

    const pages: string[] = [];
    let next = '';
    do {
      const page = await list(`limit=3${next && `&cursor=${next}`}`);
      pages.push(...idsOf(page));
      expect(page.total).toBe(7);
      // What is made meanwhile does not move the pages.
      if (next === '') await createSession().then((id) => call('DELETE', `${url}/api/sessions/${id}`));
      next = page.next;
    } while (next);

    expect(pages).toEqual(ids);
    expect(idsOf(await list('limit=2&offset=3'))).toEqual(ids.slice(3, 5));
    expect(await list('metadata.n=1&metadata.team=red')).toMatchObject({ total: 3 });
    expect(await list('metadata.team=blue')).toMatchObject({ total: 0, sessions: [], next: null });
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'offset=-1', 'status=lost']) {
      expect((await call('GET', `${url}/api/sessions?${query}`)).status).toBe(422);
    }
    expect(await call('GET', `${url}/api/sessions?cursor=nonsense`)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_CURSOR' },
    });
  });
});

describe('storage', () => {
  test('a restart keeps everything', async () => {
    const config = { databaseUrl: `sqlite:${await tempDir()}/db` };
    const first = await startApp({ config });
    const id = await first.createSession({
      name: 'Kept',
      metadata: { team: 'red' },
      engine_type: 'ToolChatEngine',
      engine_config: { temperature: 0.3 },
    });
    const socket = await TestSocket.open(first.wsUrl(id));
    await socket.run('prompt', { prompt: 'What is 2 + 2?' });
    await socket.request('event', { event_type: 'custom:note', payload: { text: 'x' } });
    const everything = async (url: string) => {
      const paths = ['', '/engine', '/events', '/messages', '/runs'];
      const answers = await Promise.all(paths.map((path) => call('GET', `${url}/api/sessions/${id}${path}`)));
      return answers.map(({ status, body }) => ({ status, body }));
    };
    const before = await everything(first.url);
    await first.app.close();

    const second = await startApp({ config });

    expect(before.every(({ status }) => status === 200)).toBe(true);
    expect(await everything(second.url)).toEqual(before);
    const back = await TestSocket.open(second.wsUrl(id));
    expect(await back.run('prompt', { prompt: 'Hi' })).toMatchObject({ status: 'completed' });
  });

  test('what a deleted session leaves is really removed', async () => {
    const { DatabaseSync } = await import('node:sqlite');
    const path = `${await tempDir()}/db`;
    const { app, url, wsUrl, createSession } = await startApp({ config: { databaseUrl: `sqlite:${path}` } });
    const [gone, kept] = await Promise.all(
      Array.from({ length: 2 }, () => createSession({ engine_type: 'ToolChatEngine', metadata: { a: 'b' } })),
    );
    for (const id of [gone, kept] as string[]) {
      const socket = await TestSocket.open(wsUrl(id));
      await socket.run('prompt', { prompt: 'Hi' });
      await socket.request('event', { event_type: 'custom:x', event_id: 'e' });
      await socket.close();
    }

    await call('DELETE', `${url}/api/sessions/${gone}`);
    await expect.poll(() => app.services.storage.purge(1)).toBe(false);
    await app.close();

    const database = new DatabaseSync(path, { readOnly: true });
    const count = (table: string) =>
      database.prepare(`select count(distinct session) as n from ${table}`).get();
    for (const table of ['events', 'event_ids', 'messages', 'runs', 'session_metadata']) {
      expect(count(table), table).toEqual({ n: 1 });
    }
    expect(database.prepare('select session_id from sessions').all()).toEqual([{ session_id: kept }]);
    database.close();
  });
});

test('a session whose deletion is committed is gone for everybody, also when nobody hears of the commit', async () => {
  const { app, url, wsUrl, createSession } = await startApp();
  const id = await createSession();
  const socket = await TestSocket.open(wsUrl(id));
  const { storage } = app.services;
  const deleteSession = storage.deleteSession.bind(storage);
  const losing = vi.spyOn(storage, 'deleteSession').mockImplementationOnce(async (...args) => {
    await deleteSession(...args);
    throw new ApiError('UNAVAILABLE');
  });
  onTestFinished(() => losing.mockRestore());

  const { status } = await call('DELETE', `${url}/api/sessions/${id}`);

  expect(status).toBe(200);
  expect(await socket.closed).toMatchObject({ code: 4004 });
});

test('a deletion that failed is told, and the session stays as it was', async () => {
  const { app, url, wsUrl, createSession } = await startApp();
  const id = await createSession();
  const socket = await TestSocket.open(wsUrl(id));
  const failing = vi
    .spyOn(app.services.storage, 'deleteSession')
    .mockRejectedValueOnce(new ApiError('UNAVAILABLE'));
  onTestFinished(() => failing.mockRestore());

  expect((await call('DELETE', `${url}/api/sessions/${id}`)).status).toBe(503);
  expect((await call('GET', `${url}/api/sessions/${id}`)).status).toBe(200);
  expect(await socket.request('ping')).toMatchObject({ type: 'pong' });
});
