/** F15: the network between client and server, server and database, server and model. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { startModelApp, startTestModels } from '../helpers/model-app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { Random } from './random.ts';
import { startProxy } from './tcp-proxy.ts';

const TEXT = Array.from({ length: 60 }, (_, n) => ({ text: `Wörd ${n}. ` }));
/** Far more than it takes: a test that fails has to end. */
const MAX_CONNECTIONS = 100;
const WHOLE = TEXT.map(({ text }) => text).join('');

const targetOf = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });
const through = (url: string, port: number) => {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
};

interface Seen {
  readonly cursor: string;
  readonly seq: number;
  readonly event_type: string;
  readonly payload: { readonly text?: string };
}

/** What one connection brings from the cursor on, until the run has ended or the connection does. */
type Read = (session: string, after: string, runId: string) => Promise<readonly Seen[]>;

const overSocket: Read = async (session, after, runId) => {
  const socket = await TestSocket.open(`${session.replace('http', 'ws')}/ws`);
  await socket
    .request('subscribe', { after })
    .then(() => socket.findEvent('run_finished', runId))
    .catch(() => {});
  return socket.events;
};

const overSse: Read = async (session, after, runId) => {
  const stream = await TestStream.open(`${session}/events`, { headers: { 'last-event-id': after } });
  await stream.findEvent('run_finished', runId).catch(() => {});
  return stream.events.filter(({ event }) => event !== undefined).map(({ data }) => data as Seen);
};

test.each([
  ['WebSocket', overSocket],
  ['server-sent events', overSse],
])(
  'F15: a stream that is cut again and again, sliced and late, is whole after it is resumed: %s (P1, P3)',
  async (_, read) => {
    const { models, url, createSession } = await startModelApp();
    const id = await createSession({ engine_type: 'ToolChatEngine' });
    const session = `${url}/api/sessions/${id}`;
    const proxy = await startProxy(targetOf(url), new Random(7));
    proxy.set({ latencyMs: 2, jitterMs: 4, slice: 37 });
    models.script({ steps: TEXT });
    const command = { command: 'prompt', parameters: { prompt: 'Hi' }, run_id: randomUUID() };
    const { body } = await call('POST', `${session}/commands`, command, { prefer: 'respond-async' });
    const seen: Seen[] = [];
    let connections = 0;
    for (; connections < MAX_CONNECTIONS && seen.at(-1)?.event_type !== 'run_finished'; connections++) {
      // Later and later, so that it gets on; at last not at all.
      if (connections < 12) proxy.cutAfter(600 + connections * 200, 'toClient');
      const after = seen.at(-1)?.cursor ?? (body.cursor as string);
      const more = await read(through(session, proxy.port), after, command.run_id).catch(() => []);
      seen.push(...more);
    }

    expect(connections).toBeGreaterThan(5);
    const { events } = (await call('GET', `${session}/events?limit=100`)).body;
    expect(seen).toEqual(events.filter(({ seq }: { seq: number }) => seq >= (seen[0]?.seq ?? 0)));
    const said = seen
      .filter(({ event_type }) => event_type === 'text_delta')
      .map(({ payload }) => payload.text);
    expect(said.join('')).toBe(WHOLE);
  },
);

test('F15: a client that is gone without a word frees its place, and finds what it has missed (P3)', async () => {
  const { app, url, wsUrl, createSession } = await startApp({ config: { websocketHeartbeat: 0.1 } });
  const id = await createSession();
  const proxy = await startProxy(targetOf(url));
  const socket = await TestSocket.open(through(wsUrl(id), proxy.port));
  const { cursor } = (await socket.request('subscribe')).data;

  proxy.set({ flow: 'swallow' });

  await expect.poll(() => app.messaging.connections(id)).toHaveLength(0);
  await call('POST', `${url}/api/sessions/${id}/events`, { event_type: 'custom:missed' });
  const back = await TestSocket.open(wsUrl(id));
  await back.request('subscribe', { after: cursor });
  expect((await back.findEvent('custom:missed')).data.seq).toBe(1);
});

test('F15: a slow and sliced line to the model changes nothing, one cut before the answer is tried again, and one cut in it is a MODEL_ERROR (P6)', async () => {
  const models = await startTestModels();
  const proxy = await startProxy(targetOf(models.baseUrl), new Random(3));
  const { wsUrl, createSession } = await startApp({
    env: { OPENAI_BASE_URL: through(models.baseUrl, proxy.port) },
    config: { model: 'openai-compatible:x' },
  });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  proxy.set({ latencyMs: 2, jitterMs: 2, slice: 3 });
  models.script({ steps: TEXT });
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({
    status: 'completed',
    result: { text: WHOLE },
  });

  const early = models.gate();
  models.script({ headersGate: early }, { steps: [{ text: 'Again.' }] });
  const unheard = socket.run('prompt', { prompt: 'Hi' });
  await early.reached;
  proxy.cut();
  expect(await unheard).toMatchObject({ status: 'completed', result: { text: 'Again.' } });

  const gate = models.gate();
  models.script({ steps: [{ text: 'Half' }, { gate }] });
  const cut = socket.run('prompt', { prompt: 'Hi' });
  await gate.reached;
  await socket.find(({ data }) => data.payload?.text === 'Half');
  proxy.cut();

  expect(await cut).toMatchObject({ status: 'failed', error: { code: 'MODEL_ERROR' } });
  proxy.heal();
  models.script({ steps: [{ text: 'Whole.' }] });
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({ result: { text: 'Whole.' } });
});

test('F15: a late and broken line to the database ends no run and loses no event (P1, P2, P6)', async () => {
  const { url: databaseUrl } = await testDatabase();
  const proxy = await startProxy(targetOf(databaseUrl), new Random(5));
  const { models, url, wsUrl, createSession } = await startModelApp({
    config: { databaseUrl: through(databaseUrl, proxy.port), runLease: 30 },
  });
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  const gates = TEXT.map(() => models.gate());
  models.script({ steps: TEXT.flatMap((step, n) => [step, { gate: gates[n] as never }]) });
  const run = socket.run('prompt', { prompt: 'Hi' });
  proxy.set({ latencyMs: 3, jitterMs: 3, slice: 1000 });
  for (const [n, gate] of gates.entries()) {
    await gate.reached;
    if (n % 6 === 0) proxy.cut();
    if (n % 6 === 3) proxy.cutAfter(300, n % 12 === 3 ? 'toClient' : 'toServer');
    gate.release();
  }

  expect(await run).toMatchObject({ status: 'completed', result: { text: WHOLE } });
  const { events } = (await call('GET', `${url}/api/sessions/${id}/events?limit=100`)).body;
  expect(events.map(({ seq }: { seq: number }) => seq)).toEqual(
    events.map((_: object, index: number) => index + 1),
  );
  expect(events.slice(-socket.events.length)).toEqual(socket.events);
});

test('F15: a line to the database on which nothing comes is UNAVAILABLE in bounded time, and is given up for a new one (P2)', async () => {
  const { url: databaseUrl } = await testDatabase();
  const proxy = await startProxy(targetOf(databaseUrl));
  const { url, createSession } = await startApp({
    config: { databaseUrl: through(databaseUrl, proxy.port), databaseTimeout: 0.5, runLease: 30 },
  });
  const events = `${url}/api/sessions/${await createSession()}/events`;
  const publish = (event_id: string) => call('POST', events, { event_type: 'custom:a', event_id });
  expect((await publish('one')).status).toBe(201);

  proxy.set({ flow: 'swallow' });
  proxy.accept = 'swallow';
  const waiting = [publish('two'), call('GET', events)];
  const ready = call('GET', `${url}/health/ready`);
  expect((await call('GET', `${url}/health/live`)).status).toBe(200);

  for (const answer of await Promise.all(waiting)) {
    expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
  }
  expect((await ready).status).toBe(503);
  proxy.heal();
  expect((await publish('two')).status).toBe(201);
  expect((await publish('three')).status).toBe(201);
  const { body } = await call('GET', events);
  expect(body.events.map(({ seq }: { seq: number }) => seq)).toEqual([1, 2, 3]);
  expect((await call('GET', `${url}/health/ready`)).status).toBe(200);
});
