import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { testEngine } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { expectProtocol, sequence } from './frames.ts';

async function start() {
  const apiFactory = testEngine((context) =>
    context.emit({ event_type: 'custom:note', payload: context.parameters }),
  ).registerEvent('custom:note', z.object({ text: z.string().max(10) }));
  const app = await startApp({ apiFactory });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  return { ...app, id, open: () => TestSocket.open(app.wsUrl(id)) };
}

test('an event is answered with its cursor before anybody sees it, and everybody sees it', async () => {
  const { open } = await start();
  const [publisher, other] = [await open(), await open()];
  await publisher.request('subscribe');
  await other.request('subscribe');
  const published = await publisher.request('event', { event_type: 'custom:mood', payload: { happy: true } });
  await publisher.findEvent('custom:mood');
  const { data } = await other.findEvent('custom:mood');
  expect(published).toMatchObject({ type: 'event_published', data: { cursor: data.cursor } });
  expect(data).toMatchObject({ event_type: 'custom:mood', payload: { happy: true } });
  expect('run_id' in data).toBe(false);
  expect(sequence(publisher)).toEqual(['subscribed', 'event_published', 'custom:mood']);
  expectProtocol(other);
});

test('without a payload it is {}', async () => {
  const { open } = await start();
  const socket = await open();
  await socket.request('subscribe');
  await socket.request('event', { event_type: 'custom:mood' });
  expect((await socket.findEvent('custom:mood')).data.payload).toEqual({});
});

test('publishing shows nothing to a connection that follows nothing', async () => {
  const { open } = await start();
  const socket = await open();
  await socket.request('event', { event_type: 'custom:mood' });
  await socket.request('ping');
  expect(sequence(socket)).toEqual(['event_published', 'pong']);
});

test.each<[string, object, string]>([
  ['a core type', { event_type: 'text_delta', payload: { message_id: 'm', text: 'x' } }, 'VALIDATION_ERROR'],
  ['run_finished', { event_type: 'run_finished', payload: {} }, 'VALIDATION_ERROR'],
  ['no prefix', { event_type: 'mood' }, 'VALIDATION_ERROR'],
  ['no name', { event_type: 'custom:' }, 'VALIDATION_ERROR'],
  ['a name with a space', { event_type: 'custom:a b' }, 'VALIDATION_ERROR'],
  ['a name that is too long', { event_type: `custom:${'x'.repeat(101)}` }, 'VALIDATION_ERROR'],
  ['no type', { payload: {} }, 'VALIDATION_ERROR'],
  ['a payload that is a list', { event_type: 'custom:mood', payload: [] }, 'VALIDATION_ERROR'],
  ['an empty event_id', { event_type: 'custom:mood', event_id: '' }, 'VALIDATION_ERROR'],
  ['a payload against its schema', { event_type: 'custom:note', payload: { text: 7 } }, 'VALIDATION_ERROR'],
  ['a payload without what its schema asks', { event_type: 'custom:note' }, 'VALIDATION_ERROR'],
])('%s is refused, and not in the log', async (_, data, code) => {
  const { open } = await start();
  const [socket, watching] = [await open(), await open()];
  await watching.request('subscribe');
  expect((await socket.request('event', data)).data).toMatchObject({
    code,
    errors: [{ path: expect.stringMatching(/\S/), message: expect.stringMatching(/\S/) }],
  });
  await socket.request('event', { event_type: 'custom:note', payload: { text: 'fine' } });
  await watching.findEvent('custom:note');
  expect(watching.events.map(({ payload }) => payload)).toEqual([{ text: 'fine' }]);
});

test('the schema of an event holds for engines too', async () => {
  const { open } = await start();
  const socket = await open();
  expect(await socket.run('act', { text: 'much too long' })).toMatchObject({ status: 'failed' });
  expect(await socket.run('act', { text: 'short' })).toMatchObject({ status: 'completed' });
  expect(socket.events.filter(({ event_type }) => event_type === 'custom:note')).toHaveLength(1);
});

test('event_id makes it idempotent: the same event once, another one refused', async () => {
  const { open } = await start();
  const [first, second] = [await open(), await open()];
  await second.request('subscribe');
  const event = { event_type: 'custom:mood', payload: { n: 1 }, event_id: 'mine' };
  const published = await Promise.all(Array.from({ length: 20 }, () => first.request('event', event)));
  expect(new Set(published.map(({ data }) => data.cursor)).size).toBe(1);
  expect((await second.request('event', event)).data).toEqual(published[0]?.data);
  for (const other of [{ payload: { n: 2 } }, { event_type: 'custom:other' }]) {
    expect((await second.request('event', { ...event, ...other })).data.code).toBe('IDEMPOTENCY_MISMATCH');
  }
  await vi.waitFor(() => expect(second.events).toHaveLength(1));
});
