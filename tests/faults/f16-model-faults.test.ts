/** F16: the model hangs, trickles, floods, sends what cannot be read, drops or refuses; through the whole server. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { logLines } from '../../packages/server/test/extensibility/log-lines.ts';
import { startApp, tempDir } from '../helpers/app.ts';
import { startServer } from '../helpers/child-server.ts';
import type { ModelScript } from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { peakMemory } from './f16-memory.ts';
import { faults } from './model-faults.ts';
import { type AnyModelServer, MODEL_WIRE_NAMES, MODEL_WIRES, type ModelWireName } from './model-wires.ts';
import type { Fault } from './tcp-pipe.ts';
import { startProxy } from './tcp-proxy.ts';

const SECRET = 'sk-secret-0123456789';
const MIB = 1024 * 1024;
/** Characters that one answer may have. */
const MAX_ANSWER = 8 * MIB;
const CANCEL_BOUND_MS = 2000;

const targetOf = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });

interface Start {
  readonly config?: object;
  /** Where the models are reached; default: where they are. */
  readonly origin?: string;
  readonly models?: AnyModelServer;
}

async function start(name: ModelWireName, options: Start = {}) {
  const logs = logLines('debug');
  const wire = MODEL_WIRES[name];
  const models = options.models ?? (await startModels(name));
  const app = await startApp({
    env: wire.env(options.origin ?? models.origin, SECRET),
    config: { model: wire.model, modelRetries: 0, ...options.config },
    logger: logs.logger as Logger,
  });
  const id = await app.createSession({ engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(app.wsUrl(id));
  const commands = `${app.url}/api/sessions/${id}/commands`;
  const prompt = (run_id = randomUUID()) => ({ command: 'prompt', parameters: { prompt: 'Hi' }, run_id });
  return { ...app, models, id, socket, commands, prompt, logs };
}

async function startModels(name: ModelWireName): Promise<AnyModelServer> {
  const models = await MODEL_WIRES[name].start();
  onTestFinished(() => models.close());
  return models;
}

/** The session goes on as if nothing had been. */
async function expectGoesOn({ models, socket }: { models: AnyModelServer; socket: TestSocket }) {
  models.script({ steps: [{ text: 'Fine again.' }] });
  expect(await socket.run('prompt', { prompt: 'And now?' })).toMatchObject({
    status: 'completed',
    result: { text: 'Fine again.' },
  });
  expect(models.refusals).toEqual([]);
}

describe.each(MODEL_WIRE_NAMES)('of %s', (name) => {
  test.each<[string, ModelScript, RegExp]>([
    ['half a JSON', faults.halfJson('Half'), /a chunk that cannot be understood/],
    ['an end without a reason', faults.stop('Half'), /before the answer was complete/],
    ['a dropped connection', faults.drop('Half'), /before the answer was complete/],
    [
      'an error in the stream',
      { steps: [{ text: 'Half' }, { error: { message: 'overloaded' } }] },
      /overloaded/,
    ],
    ['429 with Retry-After', faults.busy(7), /Slow down/],
    ['500', { status: 500, error: { message: 'Broken inside' } }, /answered 500: Broken inside/],
    [
      '401 that quotes the key',
      { status: 401, error: { message: `Wrong key ${SECRET}` } },
      /Wrong key \[redacted\]/,
    ],
  ])('%s is a MODEL_ERROR that says what happened, on every transport (P6)', async (_, script, text) => {
    const server = await start(name);
    const { models, socket, commands, url, id, prompt, logs } = server;
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
    const seen = JSON.stringify([socket.frames, overRest.body, stream.events]);
    expect(seen).not.toMatch(/sk-secret|node_modules|\.ts:\d/);
    expect(JSON.stringify(logs.lines)).not.toContain(SECRET);
    await expectGoesOn(server);
  });

  test('text that is no UTF-8 arrives as text, marked where it could not be read (P6)', async () => {
    const server = await start(name);
    server.models.script(faults.badUtf8(name));
    const { status, result } = await server.socket.run('prompt', { prompt: 'Hi' });
    expect([status, result.text]).toEqual(['completed', expect.stringContaining('\ufffd')]);
    await expectGoesOn(server);
  });

  test('an answer that trickles byte by byte is the answer (P1)', async () => {
    const { models, socket } = await start(name);
    const text = 'Ünïcode, and 漢字, one byte at a time. ';
    models.script(faults.trickle(text.repeat(5)));
    expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({
      status: 'completed',
      result: { text: text.repeat(5) },
    });
  });

  test.each<[string, (models: AnyModelServer) => ModelScript]>([
    ['before its headers', (models) => faults.hang(models)],
    ['in the middle', (models) => faults.stall(models, 'Half')],
  ])('a model that hangs %s is ended by the deadline of the run (P6)', async (_, script) => {
    const server = await start(name, { config: { runTimeout: 0.5 } });
    server.models.script(script(server.models));
    const result = await server.socket.run('prompt', { prompt: 'Hi' });
    expect(result).toMatchObject({ status: 'failed', error: { code: 'RUN_TIMEOUT' } });
    await server.models.requests[0]?.closed;
    await expectGoesOn(server);
  });

  test.each<[string, (models: AnyModelServer) => ModelScript, Partial<Fault>]>([
    ['hangs before its headers', (models) => faults.hang(models), {}],
    ['hangs in the middle', (models) => faults.stall(models, 'Half'), {}],
    ['trickles', () => faults.flood(MAX_ANSWER), { slice: 1, bytesPerSecond: 1000 }],
    ['floods', () => faults.flood(MAX_ANSWER), {}],
  ])(
    'cancelling ends a run whose model %s within 2 seconds, and reaches the model (P6)',
    async (_, script, fault) => {
      const models = await startModels(name);
      const line = await startProxy(targetOf(models.baseUrl));
      const { socket, commands, url, id, prompt } = await start(name, { models, origin: line.url() });
      const body = prompt();
      line.set(fault, 'toClient');
      models.script(script(models));
      await call('POST', commands, body, { prefer: 'respond-async' });
      const request = await models.received(1);
      const began = performance.now();

      const cancelled = await call('POST', `${url}/api/sessions/${id}/runs/${body.run_id}/cancel`);

      expect(cancelled.status).toBe(200);
      await request.closed;
      expect(performance.now() - began).toBeLessThan(CANCEL_BOUND_MS);
      const { status } = (await call('GET', `${url}/api/sessions/${id}/runs/${body.run_id}`)).body;
      expect(status).toBe('cancelled');
      line.heal();
      await expectGoesOn({ models, socket });
    },
  );

  test('the largest answer arrives whole, in order, and disturbs no other session (P1, P3)', async () => {
    const { models, socket, url, wsUrl, createSession } = await start(name);
    models.script(faults.flood(MAX_ANSWER));
    const flooded = socket.run('prompt', { prompt: 'Hi' });
    await socket.findEvent('text_delta');
    const other = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
    models.script({ steps: [{ text: 'Calm.' }] });

    expect(await other.run('prompt', { prompt: 'Hi' })).toMatchObject({
      status: 'completed',
      result: { text: 'Calm.' },
    });
    expect((await call('GET', `${url}/health/live`)).status).toBe(200);
    const { status, run_id } = await flooded;
    expect(status).toBe('completed');
    await socket.findEvent('run_finished', run_id);
    const text = socket.events
      .filter(({ event_type }) => event_type === 'text_delta')
      .map(({ payload }) => payload.text)
      .join('');
    expect(text).toHaveLength(MAX_ANSWER);
    const { payload } = socket.events.findLast(({ event_type }) => event_type === 'message_completed');
    expect(payload.parts).toEqual([{ type: 'text', text }]);
    const seqs = socket.events.map(({ seq }) => seq as number);
    expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  });
});

test.each(MODEL_WIRE_NAMES)(
  'F16: an answer of %s without an end is a MODEL_ERROR before it takes the memory of the server (P6)',
  async (name) => {
    const models = await startModels(name);
    const server = await startServer({
      ...MODEL_WIRES[name].env(models.origin, SECRET),
      LLMGINE_API_MODEL: MODEL_WIRES[name].model,
      LLMGINE_API_DATA_DIR: await tempDir(),
    });
    const { body } = await call('POST', `${server.url}/api/sessions`, { engine_type: 'ToolChatEngine' });
    const session = `${server.url}/api/sessions/${body.session_id}`;
    const socket = await TestSocket.open(server.wsUrl(body.session_id));
    models.script(faults.flood(400 * MIB));

    const result = await socket.run('prompt', { prompt: 'Hi' });

    expect(result).toMatchObject({ status: 'failed', error: { code: 'MODEL_ERROR' } });
    expect(result.error.message).toBe(`The model said more than ${MAX_ANSWER} characters`);
    await models.requests[0]?.closed;
    await socket.findEvent('message_discarded', result.run_id);
    expect((await call('GET', `${session}/messages`)).body.messages).toHaveLength(1);
    expect((await call('GET', `${server.url}/health/live`)).status).toBe(200);
    expect(peakMemory(server.child)).toBeLessThan(512 * MIB);
    await expectGoesOn({ models, socket });
  },
);
