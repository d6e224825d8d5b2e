import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { type Answer, call } from '../helpers/rest.ts';
import { testEngine } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { caller, letIn } from './callers.ts';
import { undeclared } from './undeclared.ts';

/** What callers would like to say of themselves, and of what they make. */
const WISHES = {
  role: 'admin',
  roles: ['admin'],
  scopes: ['admin'],
  tenant_id: 'b',
  tenantId: 'b',
  owner_id: 'somebody',
  ownerId: 'somebody',
  principal: { id: 'operator', role: 'admin' },
  usage: { input_tokens: -1_000_000, output_tokens: 0, total_tokens: 0 },
  budgets: { run: { tokens: 1_000_000_000 } },
  session_id: '550e8400-e29b-41d4-a716-446655440000',
  engine_id: 'eng_mine',
  created_at: '1970-01-01T00:00:00.000Z',
  expires_at: '2999-01-01T00:00:00.000Z',
  status: 'completed',
  seq: 1,
  cursor: 'mine',
  is_admin: true,
};

async function start() {
  const app = await startApp({ apiFactory: testEngine(({ parameters }) => Object.keys(parameters).length) });
  const headersOf = letIn(app.app, [
    caller('ann', { tenantId: 'a', role: 'user' }),
    caller('bob', { tenantId: 'b', role: 'user' }),
  ]);
  const as = (id: string) => (method: string, path: string, body?: object) =>
    call(method, `${app.url}${path}`, body, headersOf(id));
  return { ...app, headersOf, ann: as('ann'), bob: as('bob') };
}

test('check 14 (ASVS 15.3.3): what a body says of its sender and of what only the server knows has no effect', async () => {
  const { app, ann, bob } = await start();
  const made = await ann('POST', '/api/sessions', { ...WISHES, engine_type: 'TestEngine' });
  const id = made.body.session_id as string;
  const session = `/api/sessions/${id}`;

  const linked = await ann('PUT', `${session}/engine`, { ...WISHES, engine_type: 'TestEngine' });
  const ran = await ann('POST', `${session}/commands`, { ...WISHES, command: 'act', parameters: {} });
  const event = await ann('POST', `${session}/events`, { ...WISHES, event_type: 'custom:a', payload: {} });
  const stop = await ann('POST', '/api/admin/stop', WISHES);

  expect([made.status, linked.status, ran.status, event.status, stop.status]).toEqual([
    201, 200, 200, 201, 403,
  ]);
  expect(id).not.toBe(WISHES.session_id);
  expect(linked.body.engine_id).not.toBe(WISHES.engine_id);
  expect(ran.body).toMatchObject({ status: 'completed', result: 0, usage: null });
  const row = await app.services.storage.getSession({ tenantId: 'a', ownerId: 'ann', sessionId: id });
  expect(row).toMatchObject({ usage: null, metadata: {} });
  expect(row?.createdAt).toBeGreaterThan(0);
  expect((await bob('GET', session)).status).toBe(404);
  expect((await bob('GET', '/api/sessions')).body.total).toBe(0);
  const log = JSON.stringify((await ann('GET', `${session}/events`)).body);
  for (const wish of ['owner_id', 'somebody', 'is_admin', 'eng_mine', '2999'])
    expect(log).not.toContain(wish);
});

test('check 14 (ASVS 15.3.3): the same on a WebSocket', async () => {
  const { wsUrl, headersOf, ann, bob } = await start();
  const { body } = await ann('POST', '/api/sessions');
  const socket = await TestSocket.open(wsUrl(body.session_id), { headers: headersOf('ann') });

  socket.send({ type: 'link_engine', ...WISHES, data: { ...WISHES, engine_type: 'TestEngine' } });
  const linked = await socket.findType('engine_linked');
  const result = await socket.run('act', {}, WISHES);
  const published = await socket.request('event', { ...WISHES, event_type: 'custom:a', payload: {} });

  expect(linked.data.engine_id).not.toBe(WISHES.engine_id);
  expect(result).toMatchObject({ status: 'completed', result: 0, usage: null });
  expect(published.type).toBe('event_published');
  expect((await ann('GET', `/api/sessions/${body.session_id}`)).status).toBe(200);
  expect((await bob('GET', `/api/sessions/${body.session_id}`)).status).toBe(404);
  const events = JSON.stringify(socket.events);
  for (const wish of ['owner_id', 'somebody', 'is_admin', 'eng_mine', '2999'])
    expect(events).not.toContain(wish);
});

test('check 14 (ASVS 15.3.1): answers hold what the API document names, and nothing else', async () => {
  const { url, ann } = await start();
  const { body: document } = await call('GET', `${url}/openapi.json`);
  const made = await ann('POST', '/api/sessions', { engine_type: 'TestEngine', metadata: { a: { b: 1 } } });
  const session = `/api/sessions/${made.body.session_id}`;
  const ran = await ann('POST', `${session}/commands`, { command: 'act', parameters: {} });
  const run = ran.body.run_id as string;
  const S = '/api/sessions/{session_id}';
  const answers: readonly (readonly [string, string, Answer])[] = [
    ['post', '/api/sessions', made],
    ['get', '/api/sessions', await ann('GET', '/api/sessions')],
    ['get', S, await ann('GET', session)],
    ['get', `${S}/engine`, await ann('GET', `${session}/engine`)],
    ['put', `${S}/engine`, await ann('PUT', `${session}/engine`, { engine_type: 'TestEngine' })],
    ['post', `${S}/commands`, ran],
    ['get', `${S}/runs`, await ann('GET', `${session}/runs`)],
    ['get', `${S}/runs/{run_id}`, await ann('GET', `${session}/runs/${run}`)],
    [
      'post',
      `${S}/events`,
      await ann('POST', `${session}/events`, { event_type: 'custom:a', payload: { x: 1 } }),
    ],
    ['get', `${S}/events`, await ann('GET', `${session}/events`)],
    ['get', `${S}/messages`, await ann('GET', `${session}/messages`)],
    ['get', `${S}/requests`, await ann('GET', `${session}/requests`)],
    ['get', '/api/info', await ann('GET', '/api/info')],
    ['get', '/api/engines', await ann('GET', '/api/engines')],
    ['get', S, await ann('GET', '/api/sessions/550e8400-e29b-41d4-a716-446655440000')],
    ['post', '/api/admin/stop', await ann('POST', '/api/admin/stop')],
  ];

  for (const [method, path, { status, body }] of answers) {
    const { content } = document.paths[path][method].responses[status];
    const { schema } = content['application/json'] ?? content['application/problem+json'];
    expect(undeclared(body, schema, document), `${method} ${path} ${status}`).toEqual([]);
  }
  // It would notice.
  const { schema } = document.paths[S].get.responses[200].content['application/json'];
  const more = { ...answers[2]?.[2].body, owner_id: 'ann' };
  expect(undeclared(more, schema, document)).toEqual(['$.owner_id']);
});
