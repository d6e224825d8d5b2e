/** `Idempotency-Key` on every call that changes something, besides commands. */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { z } from 'zod';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { type Answer, call } from '../../../../tests/helpers/rest.ts';
import { testGate } from '../../../../tests/helpers/test-engine.ts';
import { defineEngine, ExtensibleAPIFactory } from '../../src/index.ts';
import { expectProblem } from './expect-problem.ts';

const ENGINE = { engine_type: 'SinglePassEngine' };
const replayed = ({ headers }: Answer) => headers.get('idempotency-replayed');

async function start(options: Parameters<typeof startApp>[0] = {}) {
  const app = await startApp(options);
  const keyed = (key: string) => (method: string, path: string, body?: object) =>
    call(method, app.url + path, body, { 'idempotency-key': key });
  const count = async () => (await call('GET', `${app.url}/api/sessions`)).body.total as number;
  return { ...app, keyed, count };
}

/** An application whose engine type `Gated` takes as long to be made as a test says. */
async function startGated() {
  const gate = testGate();
  const made = { count: 0 };
  const engine = defineEngine({
    type: 'Gated',
    description: 'Waits at a gate while it is made',
    config: z.object({}),
    create: async () => {
      made.count++;
      await gate.pass();
      return { run: async () => null };
    },
  });
  return { ...(await start({ apiFactory: new ExtensibleAPIFactory().registerEngine(engine) })), gate, made };
}

it('creates one session for a key, and answers the same every time', async () => {
  const { keyed, count } = await start();
  const create = () => keyed('order 66')('POST', '/api/sessions', { name: 'Mine', metadata: { a: 1, b: 2 } });

  const first = await create();
  const again = await create();
  const otherOrder = await keyed('"order 66"')('POST', '/api/sessions/', {
    metadata: { b: 2, a: 1 },
    name: 'Mine',
  });

  expect(first).toMatchObject({ status: 201, body: { status: 'success' } });
  for (const answer of [again, otherOrder]) {
    expect(answer).toMatchObject({ status: 201, body: first.body });
    expect(answer.headers.get('location')).toBe(first.headers.get('location'));
    expect(answer.headers.get('content-type')).toBe(first.headers.get('content-type'));
  }
  expect([first, again].map(replayed)).toEqual([null, 'true']);
  expect(await count()).toBe(1);
});

it('creates one session for 50 requests at once with one key', async () => {
  const { keyed, count } = await start();

  const answers = await Promise.all(Array.from({ length: 50 }, () => keyed('k')('POST', '/api/sessions')));

  const [created, others] = [
    answers.filter(({ status }) => status === 201),
    answers.filter(({ status }) => status !== 201),
  ];
  expect(new Set(created.map(({ body }) => body.session_id)).size).toBe(1);
  for (const answer of others) expectProblem(answer, 'IDEMPOTENCY_IN_PROGRESS');
  expect(await count()).toBe(1);
});

it('tells who comes while the first is running, and refuses another body at once', async () => {
  const { keyed, gate, made, count } = await startGated();
  const create = (body: object) => keyed('k')('POST', '/api/sessions', body);
  const first = create({ engine_type: 'Gated' });
  await gate.reached;

  const meanwhile = await create({ engine_type: 'Gated' });
  const another = await create({ engine_type: 'Gated', name: 'other' });
  gate.open();

  expectProblem(meanwhile, 'IDEMPOTENCY_IN_PROGRESS');
  expect(meanwhile.headers.get('retry-after')).toBe('1');
  expectProblem(another, 'IDEMPOTENCY_MISMATCH');
  expect((await create({ engine_type: 'Gated' })).body).toEqual((await first).body);
  expect([made.count, await count()]).toEqual([1, 1]);
});

it('refuses another body, and a key that is none', async () => {
  const { keyed, count } = await start();
  await keyed('k')('POST', '/api/sessions', { name: 'one' });

  for (const body of [{ name: 'two' }, {}, undefined]) {
    expectProblem(await keyed('k')('POST', '/api/sessions', body), 'IDEMPOTENCY_MISMATCH');
  }
  expectProblem(await keyed('x'.repeat(256))('POST', '/api/sessions'), 'VALIDATION_ERROR');
  expect((await keyed('x'.repeat(255))('POST', '/api/sessions')).status).toBe(201);
  expect(await count()).toBe(2);
});

it('keeps answers over a restart', async () => {
  const config = { databaseUrl: `sqlite:${join(await tempDir(), 'test.db')}` };
  const before = await start({ config });
  const created = await before.keyed('k')('POST', '/api/sessions', ENGINE);
  const engine = `/api/sessions/${created.body.session_id}/engine`;
  const linked = await before.keyed('k')('PUT', engine, ENGINE);
  await before.app.close();

  const after = await start({ config });
  const createdAgain = await after.keyed('k')('POST', '/api/sessions', ENGINE);
  const linkedAgain = await after.keyed('k')('PUT', engine, ENGINE);

  expect(createdAgain).toMatchObject({ status: 201, body: created.body });
  expect(linkedAgain).toMatchObject({ status: 200, body: linked.body });
  expect([createdAgain, linkedAgain].map(replayed)).toEqual(['true', 'true']);
  expect(await after.count()).toBe(1);
});

it('links and unlinks once for a key', async () => {
  const { app, url, keyed, createSession } = await start();
  const session = `/api/sessions/${await createSession()}`;
  const link = () => keyed('link')('PUT', `${session}/engine`, ENGINE);
  const unlink = () => keyed('unlink')('DELETE', `${session}/engine`);

  const linked = [await link(), await link()];
  const unlinked = [await unlink(), await unlink()];

  expect(linked.map(({ body }) => body)).toEqual([linked[0]?.body, linked[0]?.body]);
  expect(unlinked.map(({ status, body }) => [status, body])).toEqual([
    [200, { engine_id: linked[0]?.body.engine_id }],
    [200, { engine_id: linked[0]?.body.engine_id }],
  ]);
  const { events } = (await call('GET', `${url}${session}/events`)).body;
  expect(events.map(({ event_type }: { event_type: string }) => event_type)).toEqual([
    'engine_linked',
    'engine_unlinked',
  ]);
  expect(await app.services.storage.counts()).toMatchObject({ engines: 0 });
});

it('deletes once for a key, in whatever case the session is named', async () => {
  const { url, keyed, createSession } = await start();
  const id = await createSession();

  const first = await keyed('k')('DELETE', `/api/sessions/${id}`);
  const again = await keyed('k')('DELETE', `/api/sessions/${id.toUpperCase()}`);

  expect(first).toMatchObject({ status: 200, body: { message: 'Session deleted successfully' } });
  expect(again).toMatchObject({ status: 200, body: first.body });
  expect([first, again].map(replayed)).toEqual([null, 'true']);
  expectProblem(await call('DELETE', `${url}/api/sessions/${id}`), 'SESSION_NOT_FOUND');
  expectProblem(await keyed('other')('DELETE', `/api/sessions/${id}`), 'SESSION_NOT_FOUND');
});

it('takes a key for another one on another route or resource', async () => {
  const { keyed, createSession } = await start();
  const [one, two] = [await createSession(), await createSession()];
  const k = keyed('k');

  const created = await k('POST', '/api/sessions', ENGINE);
  const linked = await k('PUT', `/api/sessions/${one}/engine`, ENGINE);
  const other = await k('PUT', `/api/sessions/${two}/engine`, ENGINE);
  const unlinked = await k('DELETE', `/api/sessions/${one}/engine`);

  expect([created, linked, other, unlinked].map(({ status }) => status)).toEqual([201, 200, 200, 200]);
  expect([created, linked, other, unlinked].map(replayed)).toEqual([null, null, null, null]);
  expect(other.body.engine_id).not.toBe(linked.body.engine_id);
});

it('keeps no refusal: what changed nothing may be sent again, also with another body', async () => {
  const made = { count: 0 };
  const engine = defineEngine({
    type: 'Second',
    description: 'Is made at the second attempt',
    config: z.object({}),
    create: () => {
      if (made.count++ === 0) throw new Error('not yet');
      return { run: async () => null };
    },
  });
  const { keyed, createSession } = await start({
    apiFactory: new ExtensibleAPIFactory().registerEngine(engine),
  });
  const path = `/api/sessions/${await createSession()}/engine`;
  const link = (engine_type: string) => keyed('k')('PUT', path, { engine_type });

  expectProblem(await link('Nobody'), 'INVALID_ENGINE_TYPE');
  expectProblem(await link('Second'), 'ENGINE_CREATION_FAILED');
  const linked = await link('Second');

  expect([linked.status, replayed(linked)]).toEqual([200, null]);
  expect((await link('Second')).body).toEqual(linked.body);
  expect(made.count).toBe(2);
});

it.each(['POST /api/sessions', 'PUT engine', 'DELETE engine', 'DELETE session'])(
  '%s: who loses the race with another process answers what that one did',
  async (operation) => {
    const { app, keyed, createSession, count } = await start();
    const session = `/api/sessions/${await createSession(ENGINE)}`;
    const send = () => {
      if (operation === 'POST /api/sessions') return keyed('k')('POST', '/api/sessions');
      if (operation === 'PUT engine') return keyed('k')('PUT', `${session}/engine`, ENGINE);
      return keyed('k')('DELETE', operation === 'DELETE engine' ? `${session}/engine` : session);
    };
    const first = await send();
    const before = await count();
    // It looked before the other one had written.
    vi.spyOn(app.services.storage, 'getIdempotency').mockResolvedValueOnce(null);

    const second = await send();

    expect(second).toMatchObject({ status: first.status, body: first.body });
    expect([first, second].map(replayed)).toEqual([null, 'true']);
    expect(await count()).toBe(before);
  },
);

it('keeps the keys of principals apart', async () => {
  const { app } = await start();
  const { idempotency } = app.services.sessions;
  const create = (ownerId: string) => {
    const scope = { tenantId: 'tenant', ownerId };
    return idempotency.run({ scope, key: 'k', bodyHash: ownerId }, async (keep) => {
      const answer = { status: 201, body: ownerId };
      const session = { ...scope, sessionId: ownerId, epoch: 'epoch-1', name: null, metadata: {} };
      await app.services.storage.createSession(
        { ...session, createdAt: Date.now(), engine: null, events: [] },
        100,
        keep(answer),
      );
      return answer;
    });
  };

  const answers = [await create('one'), await create('two'), await create('one')];

  expect(answers.map(({ body, replayed }) => [body, replayed])).toEqual([
    ['one', false],
    ['two', false],
    ['one', true],
  ]);
});

it('publishes an event once for a key, which is no event_id', async () => {
  const { url, keyed, createSession } = await start();
  const path = `/api/sessions/${await createSession()}/events`;
  const event = { event_type: 'custom:note', payload: { n: 1 } };

  const first = await keyed('a')('POST', path, event);
  const again = await keyed('a')('POST', path, event);
  const byId = await call('POST', url + path, { ...event, event_id: 'a' });
  const other = await keyed('a')('POST', path, { ...event, payload: { n: 2 } });
  const both = await keyed('a')('POST', path, { ...event, event_id: 'a' });

  expect(again.body).toEqual(first.body);
  expect(byId).toMatchObject({ status: 201 });
  expect(byId.body).not.toEqual(first.body);
  expectProblem(other, 'IDEMPOTENCY_MISMATCH');
  expectProblem(both, 'VALIDATION_ERROR');
  expect((await call('GET', url + path)).body.events).toHaveLength(2);
});

it('is documented wherever it works', async () => {
  const { url } = await start();
  const { paths } = (await call('GET', `${url}/openapi.json`)).body;

  const taking = Object.entries<Record<string, { parameters?: { name: string }[]; responses: object }>>(paths)
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
    )
    .filter(({ operation }) => operation.parameters?.some(({ name }) => name === 'idempotency-key'));

  expect(taking.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'post /api/sessions',
      'delete /api/sessions/{session_id}',
      'put /api/sessions/{session_id}/engine',
      'delete /api/sessions/{session_id}/engine',
      'post /api/sessions/{session_id}/events',
    ]),
  );
  for (const { operation } of taking) expect(Object.keys(operation.responses)).toContain('422');
});
