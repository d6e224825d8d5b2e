/** The messaging API of back ends: frames that nobody asked for, to those that take them. */
import { ApiError, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';

/** Two sessions: one with a client that takes server frames and one that does not, another with one that does. */
async function start() {
  const { app, wsUrl, createSession } = await startApp({ apiFactory: new ExtensibleAPIFactory() });
  const [one, two] = [await createSession(), await createSession()];
  const modern = await TestSocket.open(wsUrl(one));
  const classic = await TestSocket.open(wsUrl(one));
  const elsewhere = await TestSocket.open(wsUrl(two));
  await modern.request('hello');
  await classic.request('status');
  await elsewhere.request('hello');
  return { messaging: app.messaging, one, two, modern, classic, elsewhere };
}

const note = { notification_type: 'note', message: 'Lunch is ready', table: 4 };
const frame = { type: 'notification', server_initiated: true, data: note };

/** Everything that was sent before has arrived when a later request is answered. */
async function unasked(socket: TestSocket) {
  await socket.request('ping');
  return socket.frames.filter(({ message_id: id }) => id === undefined);
}

test('sendToSession reaches the connections of the session that take it, and says how many', async () => {
  const { messaging, one, modern, classic, elsewhere } = await start();

  const sent = messaging.sendToSession(one, note);

  expect(sent).toBe(1);
  expect(await unasked(modern)).toEqual([frame]);
  expect(await unasked(classic)).toEqual([]);
  expect(await unasked(elsewhere)).toEqual([]);
});

test('broadcast reaches all that take it', async () => {
  const { messaging, modern, classic, elsewhere } = await start();

  const sent = messaging.broadcast(note);

  expect(sent).toBe(2);
  expect(await unasked(modern)).toEqual([frame]);
  expect(await unasked(elsewhere)).toEqual([frame]);
  expect(await unasked(classic)).toEqual([]);
});

test('sendFrame sends a type of the application, marked as unasked', async () => {
  const { messaging, one, modern, classic } = await start();

  const sent = messaging.sendFrame(one, { type: 'table_ready', data: { table: 4 } });

  expect(sent).toBe(1);
  expect(await unasked(modern)).toEqual([
    { type: 'table_ready', server_initiated: true, data: { table: 4 } },
  ]);
  expect(await unasked(classic)).toEqual([]);
});

test.each(['event', 'error', 'command_result', 'two words', ''])(
  'sendFrame refuses %j, which is no type of an application',
  async (type) => {
    const { messaging, one, modern } = await start();

    expect(() => messaging.sendFrame(one, { type, data: {} })).toThrow(ApiError);
    expect(await unasked(modern)).toEqual([]);
  },
);

test('connections lists who is there, and which of them take server frames', async () => {
  const { messaging, one, two, classic } = await start();

  expect(messaging.connections()).toHaveLength(3);
  expect(messaging.connections(two)).toHaveLength(1);
  expect(messaging.connections(one)).toEqual([
    {
      connection_id: expect.stringMatching(/^conn_/),
      session_id: one,
      principal_id: 'operator',
      tenant_id: 'default',
      remote_address: '127.0.0.1',
      connected_at: expect.stringMatching(/Z$/),
      accepts_server_frames: true,
    },
    expect.objectContaining({ session_id: one, accepts_server_frames: false }),
  ]);

  await classic.request('subscribe');
  expect(messaging.connections(one).map((connection) => connection.accepts_server_frames)).toEqual([
    true,
    true,
  ]);
});

test('nobody there is nobody told', async () => {
  const { app } = await startApp();

  expect(app.messaging.broadcast(note)).toBe(0);
  expect(app.messaging.sendToSession('no-such-session', note)).toBe(0);
  expect(app.messaging.connections()).toEqual([]);
});

test('a handler tells the other clients of its session', async () => {
  const { z } = await import('zod');
  const { defineMessage } = await import('@llmgine/api');
  const apiFactory = new ExtensibleAPIFactory().registerMessage(
    defineMessage('shout', z.object({ text: z.string() })),
    ({ data }, { messaging, sessionId }) => {
      messaging.sendFrame(sessionId, { type: 'shouted', data });
    },
  );
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const id = await createSession();
  const [one, other] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(id))];
  await other.request('hello');

  one.send({ type: 'shout', data: { text: 'hey' } });

  expect(await other.findType('shouted')).toEqual({
    type: 'shouted',
    server_initiated: true,
    data: { text: 'hey' },
  });
});
