import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startAnthropicServer } from '../../../../tests/helpers/anthropic-server.ts';
import { startModelServer } from '../../../../tests/helpers/model-server.ts';
import { anthropicProvider } from '../../src/models/ai-sdk-providers.ts';
import { createModelFetch } from '../../src/models/model-fetch.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { failure, SECRET } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';

const HELLO: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] };
const MIB = 1024 * 1024;

async function start() {
  const server = await startAnthropicServer();
  const connections = createModelFetch(1000);
  onTestFinished(async () => {
    await connections.close();
    await server.close();
  });
  const settings = { apiKey: SECRET, baseURL: server.origin, fetch: connections.fetch };
  return { server, connections, model: anthropicProvider(settings).model('m') };
}

test('a line without an end is an error before it takes all memory, and ends the request', async () => {
  const { server, model } = await start();
  const piece = { raw: 'x'.repeat(MIB) };
  server.script({
    steps: [{ raw: 'data: ' }, ...Array.from({ length: 64 }, () => piece), { gate: server.gate() }],
  });

  const error = await failure(model, HELLO);

  expect(error.message).toMatch(/more than 8388608 characters of one event/);
  expect(error.remedy).toBe('nothing');
  await server.requests[0]?.closed;
});

test('so is an event of many lines that has no end', async () => {
  const { server, model } = await start();
  const piece = { raw: `data: ${'x'.repeat(MIB)}\n` };
  server.script({ steps: [...Array.from({ length: 16 }, () => piece), { gate: server.gate() }] });

  const error = await failure(model, HELLO);

  expect(error.message).toMatch(/more than 8388608 characters of one event/);
  await server.requests[0]?.closed;
});

test('an answer may be longer than one event', async () => {
  const { server, model } = await start();
  const piece = { text: 'x'.repeat(MIB) };
  server.script({ steps: Array.from({ length: 10 }, () => piece) });
  const sink = new RecordingSink();

  await model.stream(HELLO, sink, new AbortController().signal);

  expect(sink.said.length).toBe(10 * MIB);
});

test.each([1, 16 * MIB])(
  'an error of %i characters is an error of its status, and no more is read',
  async (length) => {
    const { server, model } = await start();
    server.script({ status: 503, error: 'x'.repeat(length) });

    const error = await failure(model, HELLO);

    expect(error.message).toMatch(/^The model provider answered 503: /);
    expect(error.message.length).toBeLessThan(400);
    expect(error.remedy).toBe('again');
  },
);

test('no compressed answer is asked for, and none is taken', async () => {
  const { server, model } = await start();
  server.script({ headers: { 'content-encoding': 'gzip' }, steps: [{ text: 'x' }] });

  const error = await failure(model, HELLO);

  expect(server.requests[0]?.headers['accept-encoding']).toBe('identity');
  expect(error.message).toBe('The model provider sent a compressed answer, which it was not asked for');
});

test('after it was closed, nothing is asked any more, and what ran has ended', async () => {
  const { server, model, connections } = await start();
  server.script({ steps: [{ text: 'Hel' }, { gate: server.gate() }] });
  const running = failure(model, HELLO);
  await server.received(1);

  await connections.close();

  await running;
  const error = await failure(model, HELLO);
  expect([error.message, error.remedy]).toEqual(['The model provider is closed', 'nothing']);
  await connections.close();
});

test('a connection that does not come about is given up after its time', async () => {
  // Somebody takes the connection and never shakes hands.
  const deaf = createServer();
  deaf.listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const connections = createModelFetch(200);
  onTestFinished(async () => {
    await connections.close();
    deaf.close();
  });
  const baseURL = `https://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
  const settings = { apiKey: SECRET, baseURL, fetch: connections.fetch };

  const error = await failure(anthropicProvider(settings).model('m'), HELLO);

  expect(error.message).toBe('The model provider cannot be reached (UND_ERR_CONNECT_TIMEOUT)');
  expect(error.remedy).toBe('again');
});

test('a server that is not there cannot be reached', async () => {
  const gone = await startModelServer();
  const { origin } = gone;
  await gone.close();
  const connections = createModelFetch(1000);
  onTestFinished(() => connections.close());

  const error = await failure(
    anthropicProvider({ apiKey: SECRET, baseURL: origin, fetch: connections.fetch }).model('m'),
    HELLO,
  );

  expect(error.message).toBe('The model provider cannot be reached (ECONNREFUSED)');
  expect(error.remedy).toBe('again');
});
