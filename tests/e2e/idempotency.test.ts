/** Client-chosen ids: the same id with the same body is the same thing, with another body it is refused. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startApp, tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import { type Answer, call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { testEngine, testGate } from '../helpers/test-engine.ts';
import { type Frame, TestSocket } from '../helpers/ws-client.ts';

const ENGINE = { engine_type: 'SinglePassEngine' };

/** An engine that counts its runs and stands at a gate in each. */
async function startCounting() {
  const gate = testGate();
  const count = { runs: 0 };
  const apiFactory = testEngine(async ({ parameters }) => {
    count.runs++;
    await gate.pass();
    return { echo: parameters };
  });
  const app = await startApp({ apiFactory });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  const commands = `${app.url}/api/sessions/${id}/commands`;
  const listRuns = async () => (await call('GET', `${app.url}/api/sessions/${id}/runs`)).body.runs;
  return { ...app, id, gate, count, commands, listRuns };
}

function results(socket: TestSocket): Frame[] {
  return socket.frames.filter(({ type }) => type === 'command_result');
}

test('the same run_id with the same body attaches to the running run: each command gets exactly one result', async () => {
  const { id, wsUrl, commands, gate, count, listRuns } = await startCounting();
  const body = { command: 'act', parameters: { a: 1, b: [2] }, run_id: randomUUID() };
  const [one, two] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(id))];
  one.send({ type: 'command', message_id: 'first', data: body });
  await gate.reached;

  // The order of keys is no difference.
  const again = { run_id: body.run_id, parameters: { b: [2], a: 1 }, command: 'act' };
  one.send({ type: 'command', message_id: 'second', data: again });
  two.send({ type: 'command', message_id: 'third', data: { ...again, stream: false } });
  const over = call('POST', commands, again);
  const pending = await call('POST', commands, again, { prefer: 'respond-async' });
  await Promise.all([
    one.find((frame) => frame.message_id === 'second'),
    two.find((frame) => frame.message_id === 'third'),
  ]);
  gate.open();

  const answered = await over;
  await Promise.all([one.find(() => results(one).length === 2), two.findType('command_result')]);
  const result = {
    run_id: body.run_id,
    status: 'completed',
    result: { echo: { a: 1, b: [2] } },
    usage: null,
    error: null,
  };
  expect(pending).toMatchObject({ status: 202, body: { run_id: body.run_id, status: 'running' } });
  expect(answered).toMatchObject({ status: 200, body: result });
  expect(results(one)).toEqual([
    { type: 'command_result', message_id: 'first', data: result },
    { type: 'command_result', message_id: 'second', data: result },
  ]);
  expect(results(two)).toEqual([{ type: 'command_result', message_id: 'third', data: result }]);
  const accepted = [...one.frames, ...two.frames].filter(({ type }) => type === 'command_accepted');
  expect(new Set(accepted.map(({ data }) => data.cursor)).size).toBe(1);
  expect(count.runs).toBe(1);
  expect(await listRuns()).toHaveLength(1);
});

test('the same run_id of a finished run repeats its result, also with an engine that is gone since', async () => {
  const { id, url, wsUrl, commands, gate, count } = await startCounting();
  gate.open();
  const body = { command: 'act', parameters: { n: 1 }, run_id: randomUUID() };
  const first = await call('POST', commands, body);
  await call('DELETE', `${url}/api/sessions/${id}/engine`);
  const socket = await TestSocket.open(wsUrl(id));

  const second = await call('POST', commands, body);
  const third = await socket.run('act', { n: 1 }, { run_id: body.run_id });
  const fourth = await socket.run('act', { n: 1 }, { run_id: body.run_id, stream: false });
  const stream = await TestStream.open(commands, { method: 'POST', body });
  await stream.ended;

  expect(second.body).toEqual(first.body);
  expect([third, fourth]).toEqual([first.body, first.body]);
  expect(results(socket)).toHaveLength(2);
  expect(stream.events.map(({ event }) => event)).toEqual([
    'run_queued',
    'run_started',
    'run_finished',
    'command_result',
  ]);
  expect(stream.events.at(-1)?.data).toEqual(first.body);
  expect(count.runs).toBe(1);
});

test('a repeated command is shown the events of its run from the beginning', async () => {
  const { id, wsUrl, gate } = await startCounting();
  gate.open();
  const run_id = randomUUID();
  const [one, two] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(id))];
  await one.run('act', {}, { run_id });
  await two.run('act', {}, { run_id });
  expect(two.events).toEqual(one.events);
  expect(two.events).not.toEqual([]);
});

test('the same run_id with another body is IDEMPOTENCY_MISMATCH, running or finished', async () => {
  const { id, wsUrl, commands, gate, count } = await startCounting();
  const run_id = randomUUID();
  const socket = await TestSocket.open(wsUrl(id));
  const first = socket.run('act', { n: 1 }, { run_id });
  await gate.reached;
  const others = [
    { command: 'act', parameters: { n: 2 }, run_id },
    { command: 'act', run_id },
    { command: 'prompt', parameters: { prompt: 'n' }, run_id },
  ];
  const refused = async () => {
    for (const body of others) {
      const { type, data } = await socket.request('command', body);
      expect([type, data.code]).toEqual(['error', 'IDEMPOTENCY_MISMATCH']);
      expect(await call('POST', commands, body)).toMatchObject({
        status: 422,
        body: { code: 'IDEMPOTENCY_MISMATCH' },
      });
    }
  };

  await refused();
  gate.open();
  await first;
  await refused();

  expect(count.runs).toBe(1);
  expect(results(socket)).toHaveLength(1);
});

test.each(['queue', 'reject', 'interrupt'])(
  '50 identical commands at once make one run (on_conflict %s)',
  async (on_conflict) => {
    const { id, wsUrl, commands, gate, count, listRuns } = await startCounting();
    const body = { command: 'act', parameters: {}, run_id: randomUUID(), on_conflict };
    const sockets = await Promise.all(Array.from({ length: 5 }, () => TestSocket.open(wsUrl(id))));
    for (const [n, socket] of Array.from({ length: 25 }, (_, n) => [n, sockets[n % 5]] as const)) {
      socket?.send({ type: 'command', message_id: n, data: body });
    }
    const posts = Array.from({ length: 25 }, () => call('POST', commands, body));
    await gate.reached;
    gate.open();

    const answers = await Promise.all(posts);
    await Promise.all(sockets.map((socket) => socket.find(() => results(socket).length === 5)));

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const outcomes = [
      ...answers.map(({ body }) => body),
      ...sockets.flatMap(results).map(({ data }) => data),
    ];
    expect(outcomes).toHaveLength(50);
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
    expect(outcomes[0].status).toBe('completed');
    expect(count.runs).toBe(1);
    expect(await listRuns()).toHaveLength(1);
  },
);

test('Idempotency-Key names the run: a UUID as it is, another key by a run of its own', async () => {
  const { commands, gate, count, listRuns } = await startCounting();
  gate.open();
  const body = { command: 'act', parameters: {} };
  const uuid = randomUUID();
  const post = (key: string, extra: object = {}) =>
    call('POST', commands, { ...body, ...extra }, { 'idempotency-key': key });

  const byUuid = await Promise.all([post(uuid), post(uuid), post(`"${uuid}"`)]);
  const byName = await Promise.all([post('order-7'), post('order-7')]);
  const other = await post('order-8');

  expect(new Set(byUuid.map(({ body }) => body.run_id))).toEqual(new Set([uuid]));
  expect(new Set(byName.map(({ body }) => body.run_id)).size).toBe(1);
  expect(other.body.run_id).not.toBe(byName[0]?.body.run_id);
  expect(count.runs).toBe(3);
  expect(await listRuns()).toHaveLength(3);
  expect(await post('order-7', { parameters: { n: 1 } })).toMatchObject({
    status: 422,
    body: { code: 'IDEMPOTENCY_MISMATCH' },
  });
  expect(await post('order-7', { run_id: uuid })).toMatchObject({
    status: 422,
    body: { code: 'VALIDATION_ERROR' },
  });
  expect((await post('x'.repeat(256))).status).toBe(422);
});

test('the ids of one session mean nothing in another', async () => {
  const { createSession, url, id, gate, count } = await startCounting();
  gate.open();
  const other = await createSession({ engine_type: 'TestEngine' });
  const run_id = randomUUID();
  const post = (session: string, parameters: object) =>
    call('POST', `${url}/api/sessions/${session}/commands`, { command: 'act', parameters, run_id });
  expect((await post(id, { n: 1 })).body.result).toEqual({ echo: { n: 1 } });
  expect((await post(other, { n: 2 })).body.result).toEqual({ echo: { n: 2 } });
  expect(count.runs).toBe(2);
});

test('event_id and Idempotency-Key make publishing idempotent', async () => {
  const { id, url, wsUrl } = await startCounting();
  const events = `${url}/api/sessions/${id}/events`;
  const socket = await TestSocket.open(wsUrl(id));
  await socket.request('subscribe');
  const event = { event_type: 'custom:note', payload: { text: 'x' }, event_id: 'e1' };

  const first = await socket.request('event', event);
  const again = await Promise.all([
    ...Array.from({ length: 10 }, () => socket.request('event', event)),
    ...Array.from({ length: 10 }, async () => ({ data: (await call('POST', events, event)).body })),
  ]);
  const keyed = () => call('POST', events, { ...event, event_id: undefined }, { 'idempotency-key': 'e1' });
  const byKey = await Promise.all(Array.from({ length: 10 }, keyed));
  const mismatch = await socket.request('event', { ...event, payload: { text: 'y' } });
  const overRest = await call('POST', events, { ...event, event_type: 'custom:other' });
  await socket.request('event', { event_type: 'custom:end' });
  await socket.findEvent('custom:end');

  expect(new Set(again.map(({ data }) => data.cursor))).toEqual(new Set([first.data.cursor]));
  // A key is no event_id, although it is the same text.
  expect(new Set(byKey.map(({ body }) => body.cursor)).size).toBe(1);
  expect(byKey[0]).toMatchObject({ status: 201 });
  expect(byKey[0]?.body.cursor).not.toBe(first.data.cursor);
  expect(mismatch.data.code).toBe('IDEMPOTENCY_MISMATCH');
  expect(overRest).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_MISMATCH' } });
  expect(socket.events.map(({ event_type }) => event_type)).toEqual([
    'custom:note',
    'custom:note',
    'custom:end',
  ]);
});

test.each<[string, (url: string, id: string, headers: Record<string, string>) => Promise<Answer>]>([
  ['creating a session', (url, _id, headers) => call('POST', `${url}/api/sessions`, ENGINE, headers)],
  [
    'linking an engine',
    (url, id, headers) => call('PUT', `${url}/api/sessions/${id}/engine`, ENGINE, headers),
  ],
  [
    'unlinking it',
    (url, id, headers) => call('DELETE', `${url}/api/sessions/${id}/engine`, undefined, headers),
  ],
  [
    'deleting a session',
    (url, id, headers) => call('DELETE', `${url}/api/sessions/${id}`, undefined, headers),
  ],
])(
  'kill -9 between the commit and the reply, %s: the same call again tells what was done, once',
  async (_, send) => {
    const dir = await tempDir();
    const preload = `--import=${new URL('../helpers/die-before-reply.ts', import.meta.url)}`;
    const key = 'k';
    const first = await startServer({ LLMGINE_API_DATA_DIR: dir, NODE_OPTIONS: preload, DIE_AT_KEY: key });
    const id = (await call('POST', `${first.url}/api/sessions`, ENGINE)).body.session_id;
    const headers = { 'idempotency-key': key };

    await expect(send(first.url, id, headers)).rejects.toThrow();
    expect((await first.exited).signal).toBe('SIGKILL');

    const again = await startServer({ LLMGINE_API_DATA_DIR: dir });
    const look = async () => ({
      sessions: (await call('GET', `${again.url}/api/sessions`)).body,
      engine: (await call('GET', `${again.url}/api/sessions/${id}/engine`)).body.engine_id,
      log: (await call('GET', `${again.url}/api/sessions/${id}/events`)).body.events,
    });
    const done = await look();
    const repeated = [await send(again.url, id, headers), await send(again.url, id, headers)] as const;

    expect(repeated.map((answer) => answer.headers.get('idempotency-replayed'))).toEqual(['true', 'true']);
    expect(repeated[1].body).toEqual(repeated[0].body);
    expect(repeated[0].status).toBeLessThan(300);
    expect(await look()).toEqual(done);
  },
);
