/** The code of docs/guide/extending.md does what the guide says. */
import { expect, onTestFinished, test } from 'vitest';
import { TestSocket } from '../../tests/helpers/ws-client.ts';
import { visitors } from './application.ts';
import { announceClosing, whoIsThere } from './messaging.ts';
import { startForTest } from './start.ts';

async function start() {
  const { app, url } = await startForTest();
  onTestFinished(() => app.close());
  const open = async (body: object = {}) => {
    const response = await fetch(`${url}/api/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { session_id: id } = (await response.json()) as { session_id: string };
    return { id, socket: await TestSocket.open(`${url.replace('http', 'ws')}/api/sessions/${id}/ws`) };
  };
  return { app, url, open };
}

test('the engine drafts, reviews and rates', async () => {
  const { open } = await start();
  const { socket } = await open({ engine_type: 'ReviewEngine', engine_config: { tone: 'strict' } });

  const { result, usage } = await socket.run('prompt', { prompt: 'Hello' });
  const rated = await socket.run('rate', { text: 'not bad at all' });

  expect(result.text).toContain('You said: "Hello"');
  expect(usage.total_tokens).toBeGreaterThan(0);
  expect(socket.events.filter(({ event_type: type }) => type === 'step_finished')).toHaveLength(2);
  expect((await socket.findEvent('status')).data.payload).toEqual({ text: 'Reading it again' });
  expect(rated.result).toEqual({ stars: 4 });
  expect((await socket.findEvent('custom:rated')).data.payload).toEqual({ stars: 4 });
});

test('the tool counts, and its errors go to the model', async () => {
  const { open } = await start();
  const { socket } = await open({ engine_type: 'ToolChatEngine' });

  const found = await socket.run('prompt', { prompt: 'call stock {"article": "apples"}' });
  const missing = await socket.run('prompt', { prompt: 'call stock {"article": "plums"}' });

  expect(found.result.text).toContain('12');
  expect(missing.result.text).toContain('there is no article "plums"');
});

test('large orders wait for an approval, small ones do not', async () => {
  const { url, open } = await start();
  const { id, socket } = await open({ engine_type: 'ToolChatEngine' });

  const small = await socket.run('prompt', { prompt: 'call order {"article": "pears", "pieces": 2}' });
  const large = socket.run('prompt', { prompt: 'call order {"article": "pears", "pieces": 20}' });
  const { request_id, ...asked } = (await socket.findEvent('input_requested')).data.payload;
  await fetch(`${url}/api/sessions/${id}/requests/${request_id}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ outcome: 'approved' }),
  });

  expect(small.result.text).toContain('2 pears');
  expect(asked).toMatchObject({ kind: 'approval', arguments: { article: 'pears', pieces: 20 } });
  expect((await large).result.text).toContain('20 pears');
});

test('a client executes its tool', async () => {
  const { open } = await start();
  const { socket } = await open({ engine_type: 'ToolChatEngine' });

  const scanned = socket.run('prompt', { prompt: 'call scan_barcode' });
  const { request_id } = (await socket.findEvent('input_requested')).data.payload;
  await socket.request('claim_request', { request_id });
  await socket.request('server_response', {
    request_id,
    outcome: 'submitted',
    value: { article: 'apples' },
  });

  expect((await scanned).result.text).toContain('apples');
});

test('the engine asks where to deliver', async () => {
  const { open } = await start();
  const { socket } = await open({ engine_type: 'DeliveryEngine' });

  const delivered = socket.run('prompt', { prompt: 'Hello' });
  const { request_id, schema } = (await socket.findEvent('input_requested')).data.payload;
  const wrong = await socket.request('server_response', { request_id, outcome: 'submitted', value: {} });
  await socket.request('server_response', { request_id, outcome: 'submitted', value: { city: 'Oslo' } });

  expect(schema.required).toEqual(['city']);
  expect(wrong.data.code).toBe('VALIDATION_ERROR');
  expect((await delivered).result).toEqual({ city: 'Oslo' });
});

test('the model provider is one of the server', async () => {
  const { open } = await start();
  const { socket } = await open({
    engine_type: 'SinglePassEngine',
    engine_config: { model: 'parrot:polly' },
  });

  expect((await socket.run('prompt', { prompt: 'hello' })).result.text).toBe('polly: hello');
});

test('the message orders, within limits', async () => {
  const { open } = await start();
  const { socket } = await open();
  await socket.request('subscribe');

  const ordered = await socket.request('order_request', { article: 'apples', pieces: 2 });
  const refused = await socket.request('order_request', { article: 'apples', pieces: 11 });
  const wrong = await socket.request('order_request', { article: 'apples', pieces: 0 });

  const event = (await socket.findEvent('custom:ordered')).data;
  expect(event.payload).toEqual({ article: 'apples', pieces: 2 });
  expect(ordered).toMatchObject({ type: 'order_response', data: { order_id: event.cursor } });
  expect(refused.data.code).toBe('RESOURCE_LIMIT_EXCEEDED');
  expect(wrong.data.code).toBe('VALIDATION_ERROR');
});

test('the router reports', async () => {
  const { url, open } = await start();
  const { id, socket } = await open({ engine_type: 'SinglePassEngine' });
  await socket.run('prompt', { prompt: 'Hello' });

  expect(await (await fetch(`${url}/api/reports/${id}`)).json()).toEqual({ messages: 2 });
});

test('messages to clients, and who is there', async () => {
  const { app, url, open } = await start();
  const { id, socket } = await open();
  await socket.request('hello');

  expect(announceClosing(app)).toBe(1);
  expect(announceClosing(app, id)).toBe(1);
  expect(await socket.findType('notification')).toMatchObject({
    server_initiated: true,
    data: { notification_type: 'closing', minutes: 5 },
  });
  expect(whoIsThere(app)).toEqual(new Map([[id, 1]]));
  expect(visitors.has(id)).toBe(true);

  await fetch(`${url}/api/sessions/${id}`, { method: 'DELETE' });
  await socket.closed;
  expect(visitors.has(id)).toBe(false);
});
