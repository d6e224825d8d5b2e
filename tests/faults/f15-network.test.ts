/** F15: the network between client and server, server and database, server and model. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { startModelApp, startTestModels } from '../helpers/model-app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { Random } from './random.ts';
import { startProxy } from './tcp-proxy.ts';

const TEXT = Array.from({ length: 60 }, (_, n) => ({ text: `Wörd ${n}. ` }));
const WHOLE = TEXT.map(({ text }) => text).join('');

const targetOf = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });
const through = (url: string, port: number) => {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
};

test('F15: a stream that is cut again and again, sliced and late, is whole after it is resumed (P1, P3)', async () => {
  const { models, url, wsUrl, createSession } = await startModelApp();
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const proxy = await startProxy(targetOf(url), new Random(7));
  proxy.set({ latencyMs: 2, jitterMs: 4, slice: 37 });
  models.script({ steps: TEXT });
  const run_id = randomUUID();
  const { body } = await call(
    'POST',
    `${url}/api/sessions/${id}/commands`,
    {
      command: 'prompt',
      parameters: { prompt: 'Hi' },
      run_id,
    },
    { prefer: 'respond-async' },
  );
  const seen: { seq: number; event_type: string; payload: { text?: string } }[] = [];
  let cursor = body.cursor as string;
  let connections = 0;
  for (let done = false; !done; connections++) {
    // Later and later, so that it gets on; at last not at all.
    if (connections < 12) proxy.cutAfter(600 + connections * 200, 'toClient');
    const socket = await TestSocket.open(through(wsUrl(id), proxy.port)).catch(() => null);
    if (!socket) continue;
    await socket.request('subscribe', { after: cursor }).catch(() => undefined);
    done = await socket.findEvent('run_finished', run_id).then(
      () => true,
      () => false,
    );
    for (const event of socket.events) seen.push(event);
    cursor = socket.events.at(-1)?.cursor ?? cursor;
  }

  expect(connections).toBeGreaterThan(5);
  const { events } = (await call('GET', `${url}/api/sessions/${id}/events?limit=100`)).body;
  expect(seen).toEqual(events.filter(({ seq }: { seq: number }) => seq >= (seen[0]?.seq ?? 0)));
  const said = seen
    .filter(({ event_type }) => event_type === 'text_delta')
    .map(({ payload }) => payload.text);
  expect(said.join('')).toBe(WHOLE);
});

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

test('F15: a slow and sliced line to the model changes nothing, and a cut one is a MODEL_ERROR (P6)', async () => {
  const models = await startTestModels();
  const proxy = await startProxy(targetOf(models.baseUrl), new Random(3));
  const { wsUrl, createSession } = await startApp({
    env: { OPENAI_BASE_URL: through(models.baseUrl, proxy.port) },
    config: { model: 'openai-compatible:x' },
  });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  proxy.set({ latencyMs: 2, jitterMs: 2, slice: 61 });
  models.script({ steps: TEXT });
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({
    status: 'completed',
    result: { text: WHOLE },
  });

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
