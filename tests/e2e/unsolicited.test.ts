/** A client that knows only the original document never receives a frame that it did not ask for. */
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

async function startBoth() {
  const app = await startApp();
  const id = await app.createSession({ engine_type: 'ToolChatEngine' });
  const silent = await TestSocket.open(app.wsUrl(id));
  const modern = await TestSocket.open(app.wsUrl(id));
  return { ...app, id, silent, modern };
}

/** Everything that happens in a session and could be told to somebody. */
async function makeNoise({ app, url, id, modern }: Awaited<ReturnType<typeof startBoth>>) {
  await modern.request('hello');
  await modern.request('subscribe');
  await modern.run('prompt', { prompt: 'What is 2 + 2?' });
  await modern.request('event', { event_type: 'custom:note', payload: { text: 'x' } });
  await modern.request('link_engine', { engine_type: 'SinglePassEngine' });
  await call('POST', `${url}/api/sessions/${id}/commands`, {
    command: 'prompt',
    parameters: { prompt: 'x' },
  });
  expect(app.messaging.sendToSession(id, { notification_type: 'news', message: 'one' })).toBe(1);
  expect(app.messaging.broadcast({ notification_type: 'news', message: 'two' })).toBe(1);
  expect(app.messaging.sendFrame(id, { type: 'custom_frame', data: {} })).toBe(1);
  await modern.findType('custom_frame');
}

test('it hears nothing of what others do in its session, only the answers to what it asks', async () => {
  const both = await startBoth();
  const { silent, modern, wsUrl, id } = both;
  const asked = ['ping', 'get_engine_types', 'status', 'link_engine', 'fly'];
  const ask = async () => {
    for (const type of asked) await silent.request(type, { engine_type: 'ToolChatEngine' });
  };

  await ask();
  await makeNoise(both);
  await ask();
  // Nothing comes late either: this answer is behind whatever was sent before it.
  await silent.request('ping');

  const replies = ['pong', 'engine_types', 'status_response', 'engine_linked', 'error'];
  expect(silent.frames.map(({ type }) => type)).toEqual([...replies, ...replies, 'pong']);
  // The others did hear it.
  const heard = new Set(modern.frames.map(({ type }) => type));
  for (const type of ['event', 'notification', 'custom_frame']) expect(heard).toContain(type);
  const notification = modern.frames.find(({ type }) => type === 'notification');
  expect(notification).toEqual({
    type: 'notification',
    server_initiated: true,
    data: { notification_type: 'news', message: 'one' },
  });
  // Nothing is sent on connect, whatever the session has seen.
  const late = await TestSocket.open(wsUrl(id));
  await late.request('ping');
  expect(late.frames).toHaveLength(1);
});

test('when the server drains it sees the close code alone', async () => {
  const both = await startBoth();
  await makeNoise(both);
  await both.app.close();
  expect(await both.silent.closed).toMatchObject({ code: 1012 });
  expect(both.silent.frames).toEqual([]);
  expect(both.modern.frames.at(-1)?.type).toBe('going_away');
});

test('when the session is deleted it sees the close code alone', async () => {
  const both = await startBoth();
  await makeNoise(both);
  await call('DELETE', `${both.url}/api/sessions/${both.id}`);
  expect(await both.silent.closed).toMatchObject({ code: 4004 });
  expect(both.silent.frames).toEqual([]);
  expect(await both.modern.closed).toMatchObject({ code: 4004 });
});

test.each([
  ['hello', {}],
  ['subscribe', {}],
  ['command', { command: 'prompt', parameters: { prompt: 'Hi' } }],
])('%s is what makes a client one that may be told things', async (type, data) => {
  const { app, id, silent, modern } = await startBoth();
  await modern.request(type, data);
  app.messaging.broadcast({ notification_type: 'news', message: 'x' });
  await modern.findType('notification');
  await silent.request('ping');
  expect(silent.frames.map(({ type }) => type)).toEqual(['pong']);
  expect(app.messaging.connections(id).map((one) => one.accepts_server_frames)).toEqual([false, true]);
});
