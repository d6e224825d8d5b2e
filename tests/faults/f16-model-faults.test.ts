/** F16: the model hangs, trickles, floods, sends what cannot be read, drops or refuses; through the whole server. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startModelApp } from '../helpers/model-app.ts';
import type { ModelScript, ModelServer } from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { faults } from './model-faults.ts';

const SECRET = 'sk-secret-0123456789';

async function start(config: object = {}) {
  const app = await startModelApp({ env: { OPENAI_API_KEY: SECRET }, config });
  const id = await app.createSession({ engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(app.wsUrl(id));
  const commands = `${app.url}/api/sessions/${id}/commands`;
  const prompt = (run_id = randomUUID()) => ({ command: 'prompt', parameters: { prompt: 'Hi' }, run_id });
  return { ...app, id, socket, commands, prompt };
}

/** The session goes on as if nothing had been. */
async function expectGoesOn({ models, socket }: Awaited<ReturnType<typeof start>>) {
  models.script({ steps: [{ text: 'Fine again.' }] });
  expect(await socket.run('prompt', { prompt: 'And now?' })).toMatchObject({
    status: 'completed',
    result: { text: 'Fine again.' },
  });
}

test.each<[string, ModelScript, RegExp]>([
  ['half a JSON', faults.halfJson('Half'), /./],
  ['an end without an end', faults.stop('Half'), /./],
  ['a dropped connection', faults.drop('Half'), /./],
  [
    'an error in the stream',
    { steps: [{ text: 'Half' }, { error: { message: 'overloaded' } }] },
    /overloaded/,
  ],
  ['429 with Retry-After', faults.busy(7), /Slow down/],
  ['500', { status: 500, error: { message: 'Broken inside' } }, /Broken inside/],
])('F16: %s is a MODEL_ERROR that says what happened, on every transport (P6)', async (_, script, text) => {
  const server = await start();
  const { models, socket, commands, url, id, prompt } = server;
  const body = prompt();
  models.script(script);
  const stream = await TestStream.open(commands, { method: 'POST', body });
  await stream.ended;
  models.script(script);
  const overSocket = await socket.run('prompt', { prompt: 'Hi' });

  const overRest = await call('POST', commands, body);

  const failed = { status: 'failed', error: { code: 'MODEL_ERROR', message: expect.stringMatching(text) } };
  expect(stream.events.at(-1)).toMatchObject({ event: 'command_result', data: failed });
  expect(overSocket).toMatchObject(failed);
  expect(overRest).toMatchObject({ status: 200, body: failed });
  // What was half said is withdrawn: of the whole conversation only the questions are left.
  const events = socket.events.map(({ event_type }) => event_type);
  const begun = events.filter((type) => type === 'message_started').length;
  expect(events.filter((type) => type === 'message_discarded')).toHaveLength(begun);
  const { messages } = (await call('GET', `${url}/api/sessions/${id}/messages`)).body;
  expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'user']);
  const seen = JSON.stringify([overSocket, overRest.body, stream.events]);
  expect(seen).not.toMatch(/sk-secret|node_modules|\.ts:\d/);
  await expectGoesOn(server);
});

test('F16: text that is no UTF-8 arrives as text, marked where it could not be read', async () => {
  const server = await start();
  server.models.script(faults.badUtf8());
  const { status, result } = await server.socket.run('prompt', { prompt: 'Hi' });
  expect([status, result.text]).toEqual(['completed', expect.stringContaining('\ufffd')]);
  await expectGoesOn(server);
});

test('F16: an answer that trickles byte by byte is the answer', async () => {
  const { models, socket } = await start();
  const text = 'Ünïcode, and 漢字, one byte at a time. ';
  models.script(faults.trickle(text.repeat(5)));
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({
    status: 'completed',
    result: { text: text.repeat(5) },
  });
});

test.each<[string, (models: ModelServer) => ModelScript]>([
  ['before its headers', (models) => faults.hang(models)],
  ['in the middle', (models) => faults.stall(models, 'Half')],
])('F16: a model that hangs %s is ended by the deadline of the run (P6)', async (_, script) => {
  const server = await start({ runTimeout: 0.5 });
  server.models.script(script(server.models));
  const result = await server.socket.run('prompt', { prompt: 'Hi' });
  expect(result).toMatchObject({ status: 'failed', error: { code: 'RUN_TIMEOUT' } });
  await server.models.requests[0]?.closed;
  await expectGoesOn(server);
});

test.each<[string, (models: ModelServer) => ModelScript]>([
  ['hangs before its headers', (models) => faults.hang(models)],
  ['hangs in the middle', (models) => faults.stall(models, 'Half')],
  ['floods', () => faults.flood(200 * 1024 * 1024)],
])('F16: cancelling ends a run whose model %s, and reaches the model (P6)', async (_, script) => {
  const server = await start();
  const { models, socket, commands, url, id, prompt } = server;
  const body = prompt();
  models.script(script(models));
  await call('POST', commands, body, { prefer: 'respond-async' });
  const request = await models.received(1);

  const cancelled = await call('POST', `${url}/api/sessions/${id}/runs/${body.run_id}/cancel`);

  expect(cancelled.status).toBe(200);
  await request.closed;
  expect((await call('GET', `${url}/api/sessions/${id}/runs/${body.run_id}`)).body.status).toBe('cancelled');
  await expectGoesOn({ ...server, socket });
});

test('F16: a flood arrives whole, is held back by who reads it, and disturbs no other session (P1, P3)', async () => {
  const { models, socket, url, wsUrl, createSession } = await start();
  const size = 8 * 1024 * 1024;
  models.script(faults.flood(size));
  const flooded = socket.run('prompt', { prompt: 'Hi' });
  await socket.findEvent('text_delta');
  const other = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  models.script({ steps: [{ text: 'Calm.' }] });

  expect(await other.run('prompt', { prompt: 'Hi' })).toMatchObject({
    status: 'completed',
    result: { text: 'Calm.' },
  });
  expect((await call('GET', `${url}/health/live`)).status).toBe(200);
  expect(await flooded).toMatchObject({ status: 'completed' });
  const { payload } = await socket.findEvent('message_completed', (await flooded).run_id).then(() => {
    const completed = socket.events.findLast(({ event_type }) => event_type === 'message_completed');
    return completed;
  });
  const text = socket.events
    .filter(({ event_type }) => event_type === 'text_delta')
    .map((event) => event.payload.text)
    .join('');
  expect(text.length).toBeGreaterThanOrEqual(size);
  expect(payload.parts).toEqual([{ type: 'text', text }]);
  const seqs = socket.events.map(({ seq }) => seq as number);
  expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
});
