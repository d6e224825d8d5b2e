import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startAnthropicServer } from '../../../../tests/helpers/anthropic-server.ts';
import { startModelServer } from '../../../../tests/helpers/model-server.ts';
import { anthropicProvider } from '../../src/models/ai-sdk-providers.ts';
import { createModelFetch } from '../../src/models/model-fetch.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { failure, SECRET } from './contract.ts';

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

  expect(error.message).toMatch(/more than 8388608 characters of one line/);
  expect(error.remedy).toBe('nothing');
  await server.requests[0]?.closed;
});

test('an error without an end is cut off, too', async () => {
  const { server, model } = await start();
  server.script({ status: 500, error: 'x'.repeat(16 * MIB) });

  const error = await failure(model, HELLO);

  expect(error.message.length).toBeLessThan(400);
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
