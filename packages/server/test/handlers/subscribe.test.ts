import { expect, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { expectProtocol, sequence } from './frames.ts';

async function start() {
  const app = await startApp();
  const id = await app.createSession();
  const open = () => TestSocket.open(app.wsUrl(id));
  const publisher = await open();
  const publish = async (...names: string[]) => {
    for (const name of names) await publisher.request('event', { event_type: `custom:${name}` });
  };
  return { ...app, id, open, publish, publisher };
}

const names = (socket: TestSocket) =>
  socket.events.map(({ event_type }) => event_type.replace('custom:', ''));
const event = (socket: TestSocket, name: string) => socket.findEvent(`custom:${name}`);

test('without a cursor a subscription starts now', async () => {
  const { open, publish } = await start();
  await publish('before');
  const socket = await open();
  const subscribed = await socket.request('subscribe');
  await publish('a', 'b');
  await event(socket, 'b');
  expect(subscribed.data).toEqual({ cursor: expect.any(String), resync_required: false });
  expect(names(socket)).toEqual(['a', 'b']);
  expectProtocol(socket);
});

test('after a cursor: subscribed, then what was missed, then what happens', async () => {
  const { open, publish } = await start();
  const first = await open();
  const { cursor } = (await first.request('subscribe')).data;
  await publish('a', 'b');
  const after = (await event(first, 'a')).data.cursor;
  const [all, some] = [await open(), await open()];
  expect((await all.request('subscribe', { after: cursor })).data).toEqual({
    cursor,
    resync_required: false,
  });
  await some.request('subscribe', { after });
  await publish('c');
  await event(all, 'c');
  await event(some, 'c');
  expect(sequence(all)).toEqual(['subscribed', 'custom:a', 'custom:b', 'custom:c']);
  expect(sequence(some)).toEqual(['subscribed', 'custom:b', 'custom:c']);
});

test('subscribing again replaces the subscription', async () => {
  const { open, publish } = await start();
  const socket = await open();
  const { cursor } = (await socket.request('subscribe')).data;
  await publish('a', 'b');
  await event(socket, 'b');
  await socket.request('subscribe', { after: cursor, event_types: ['custom:b', 'custom:c'] });
  await publish('x', 'c');
  await event(socket, 'c');
  expect(sequence(socket)).toEqual([
    'subscribed',
    'custom:a',
    'custom:b',
    'subscribed',
    'custom:b',
    'custom:c',
  ]);
});

test('subscribing many times at once leaves one subscription', async () => {
  const { open, publish } = await start();
  const socket = await open();
  for (let n = 0; n < 50; n++) socket.send({ type: 'subscribe', message_id: n });
  await socket.find(({ message_id }) => message_id === 49);
  await publish('a', 'b');
  await event(socket, 'b');
  expect(names(socket)).toEqual(['a', 'b']);
});

test('event_types limits what is shown, and seq shows that there was more', async () => {
  const { open, publish } = await start();
  const socket = await open();
  await socket.request('subscribe', { event_types: ['custom:b'] });
  await publish('a', 'b', 'a', 'b');
  await vi.waitFor(() => expect(names(socket)).toEqual(['b', 'b']));
  expect(socket.events[1].seq - socket.events[0].seq).toBe(2);
});

test('after unsubscribe nothing comes', async () => {
  const { open, publish } = await start();
  const socket = await open();
  await socket.request('subscribe');
  await publish('a');
  await event(socket, 'a');
  expect(await socket.request('unsubscribe')).toMatchObject({ type: 'unsubscribed', data: {} });
  await publish('b');
  await socket.request('ping');
  expect(names(socket)).toEqual(['a']);
  expect((await socket.request('unsubscribe')).type).toBe('unsubscribed');
});

test.each([
  ['of another epoch', (cursor: string) => cursor.replace(/^[^:]+/, 'elsewhere')],
  ['beyond the head', (cursor: string) => cursor.replace(/\d+$/, '999')],
])('a cursor %s needs a resync, and the subscription starts now', async (_, change) => {
  const { open, publish } = await start();
  const socket = await open();
  const { cursor } = (await socket.request('subscribe')).data;
  await publish('before');
  const again = await open();
  const { data } = await again.request('subscribe', { after: change(cursor) });
  expect(data).toEqual({ cursor: expect.any(String), resync_required: true });
  await publish('after');
  await event(again, 'after');
  expect(names(again)).toEqual(['after']);
});

test.each([
  ['no cursor', { after: 'yesterday' }, 'INVALID_CURSOR'],
  ['an empty one', { after: '' }, 'VALIDATION_ERROR'],
  ['a number', { after: 7 }, 'VALIDATION_ERROR'],
  ['types that are no list', { event_types: 'custom:a' }, 'VALIDATION_ERROR'],
])('%s is refused, and what was followed before goes on', async (_, data, code) => {
  const { open, publish } = await start();
  const socket = await open();
  await socket.request('subscribe');
  expect((await socket.request('subscribe', data)).data.code).toBe(code);
  await publish('a');
  expect((await event(socket, 'a')).data.event_type).toBe('custom:a');
});

test('a subscription that took too long is none', async () => {
  const gate = testGate();
  const app = await startApp({ config: { handlerTimeout: 0.05 } });
  const id = await app.createSession();
  const { storage } = app.app.services;
  const read = storage.readEvents.bind(storage);
  let held = false;
  storage.readEvents = async (...parameters) => {
    if (!held) {
      held = true;
      await gate.pass();
    }
    return read(...parameters);
  };
  const socket = await TestSocket.open(app.wsUrl(id));
  expect((await socket.request('subscribe')).data.code).toBe('WEBSOCKET_ERROR');
  gate.open();
  await socket.request('event', { event_type: 'custom:a' });
  expect(sequence(socket)).toEqual(['error', 'event_published']);
  await socket.request('subscribe');
  await socket.request('event', { event_type: 'custom:b' });
  await event(socket, 'b');
  expect(names(socket)).toEqual(['b']);
});

test('a result that is owed comes once, whatever is subscribed meanwhile', async () => {
  const gate = testGate();
  const app = await startApp({ apiFactory: testEngine(() => gate.pass()) });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  const socket = await TestSocket.open(app.wsUrl(id));
  const { data } = await socket.request('command', { command: 'act' });
  await gate.reached;
  await socket.request('subscribe');
  await socket.request('subscribe', { after: data.cursor, event_types: ['run_queued'] });
  await socket.request('unsubscribe');
  gate.open();
  await socket.findType('command_result');
  await socket.request('subscribe', { after: data.cursor });
  await socket.findEvent('run_finished');
  await socket.request('ping');
  expect(sequence(socket).filter((type) => type === 'command_result')).toHaveLength(1);
});
