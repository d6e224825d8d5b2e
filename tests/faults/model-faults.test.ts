import { expect, test } from 'vitest';
import { startTestModels } from '../helpers/model-app.ts';
import type { ModelScript, ModelServer } from '../helpers/model-server.ts';
import { faults } from './model-faults.ts';

async function ask(make: (models: ModelServer) => ModelScript) {
  const models = await startTestModels();
  const script = make(models);
  models.script(script);
  const abort = new AbortController();
  const answer = fetch(`${models.baseUrl}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'x', messages: [{ role: 'user', content: 'Hi' }] }),
    signal: abort.signal,
  });
  return { models, script, abort, answer };
}

/** The values of the `data:` lines that are JSON. */
function texts(body: string): string {
  return body
    .split('\n\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)).choices[0]?.delta.content ?? '')
    .join('');
}

test('a model that hangs sends no headers, and is told when the client gives up', async () => {
  const { models, script, abort, answer } = await ask(faults.hang);
  let answered = false;
  const lost = answer.then(
    () => (answered = true),
    (error: Error) => error.name,
  );
  await script.headersGate?.reached;
  expect(answered).toBe(false);
  abort.abort();
  expect(await lost).toBe('AbortError');
  await (await models.received(1)).closed;
});

test('a model that stalls says something, and no end comes', async () => {
  const { models, abort, answer } = await ask((server) => faults.stall(server, 'Hello'));
  const reader = (await answer).body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  expect(new TextDecoder().decode(value)).toContain('Hello');
  const next = reader?.read().then(
    ({ done }) => (done ? 'ended' : 'went on'),
    (error: Error) => error.name,
  );
  abort.abort();
  expect(await next).toBe('AbortError');
  await (await models.received(1)).closed;
});

test('a model that trickles sends a correct answer', async () => {
  const { answer } = await ask(() => faults.trickle('Grüße', 1));
  expect(texts(await (await answer).text())).toBe('Grüße');
});

test('a flood has as many bytes as were asked for', async () => {
  const { answer } = await ask(() => faults.flood(5_000_000));
  let bytes = 0;
  for await (const chunk of (await answer).body ?? []) bytes += chunk.length;
  expect(bytes).toBeGreaterThanOrEqual(5_000_000);
});

test('bad UTF-8 is no UTF-8', async () => {
  const { answer } = await ask(() => faults.badUtf8());
  const bytes = await (await answer).arrayBuffer();
  expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow(TypeError);
});

test('half a JSON is no JSON', async () => {
  const { answer } = await ask(() => faults.halfJson('Hello'));
  const body = await (await answer).text();
  expect(body).toContain('Hello');
  expect(() => texts(body)).toThrow(SyntaxError);
});

test('a stream that stops has no reason to finish', async () => {
  const { answer } = await ask(() => faults.stop('Hello'));
  const body = await (await answer).text();
  expect(texts(body)).toBe('Hello');
  expect(body).not.toContain('[DONE]');
});

test('a connection that drops breaks the body', async () => {
  const { answer } = await ask(() => faults.drop('Hello'));
  await expect((await answer).text()).rejects.toThrow('terminated');
});

test('a busy model says when to come back', async () => {
  const { answer } = await ask(() => faults.busy(7));
  const { status, headers } = await answer;
  expect([status, headers.get('retry-after')]).toEqual([429, '7']);
});
