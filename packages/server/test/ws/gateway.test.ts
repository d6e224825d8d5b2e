/** All connections together: who is let in when, who is told, and what is left of them. */
import { ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test, vi } from 'vitest';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { RawSocket } from './raw-socket.ts';

/** An application that waits at a gate before it looks up the session of a handshake. */
async function startSlow() {
  const app = await startApp();
  const id = await app.createSession();
  const gate = testGate();
  const { sessions } = app.app.services;
  const find = sessions.find.bind(sessions);
  sessions.find = async (key) => {
    const row = await find(key);
    await gate.pass();
    return row;
  };
  return { ...app, id, gate, find };
}

test('a session that goes during the handshake is told like one that is not there', async () => {
  const { app, gate, wsUrl, id } = await startSlow();
  const opening = TestSocket.open(wsUrl(id));
  await gate.reached;
  app.services.cluster.announce({ kind: 'session_closed', sessionId: id, reason: 'deleted' });
  gate.open();
  const socket = await opening;
  expect(await socket.closed).toMatchObject({ code: 4004 });
  expect(socket.frames.map(({ data }) => data.code)).toEqual(['SESSION_NOT_FOUND']);
});

test('a handshake that the stop overtakes is refused with a problem', async () => {
  const { app, gate, url, wsUrl, id } = await startSlow();
  const raw = await RawSocket.connect(url);
  const answer = raw.handshake(wsUrl(id));
  await gate.reached;
  const closed = app.close();
  gate.open();
  expect(await answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  await closed;
});

test('a peer that is gone before its handshake is done leaves nothing', async () => {
  const { app, gate, url, wsUrl, id } = await startSlow();
  const raw = await RawSocket.connect(url);
  raw.handshake(wsUrl(id)).catch(() => {});
  await gate.reached;
  raw.socket.resetAndDestroy();
  gate.open();
  const socket = await TestSocket.open(wsUrl(id));
  expect(app.messaging.connections()).toHaveLength(1);
  await socket.close();
});

test('callbacks are told of connections to sessions that are there, and one that throws disturbs nobody', async () => {
  const told: string[] = [];
  const apiFactory = new ExtensibleAPIFactory()
    .on({
      onConnect: () => {
        throw new Error('first');
      },
    })
    .on({
      onConnect: ({ sessionId }) => void told.push(`+${sessionId}`),
      onDisconnect: ({ sessionId }) => void told.push(`-${sessionId}`),
    });
  const { wsUrl, createSession, app } = await startApp({ apiFactory });
  const id = await createSession();
  const stray = await TestSocket.open(wsUrl('550e8400-e29b-41d4-a716-446655440000'));
  await stray.closed;
  const socket = await TestSocket.open(wsUrl(id.toUpperCase()));
  expect(app.messaging.connections(id)).toHaveLength(1);
  await socket.close();
  await vi.waitFor(() => expect(told).toEqual([`+${id}`, `-${id}`]));
  expect(app.messaging.connections()).toEqual([]);
});

test('a server that stops tells whoever understands it where to go on; all see 1012, and nothing is lost', async () => {
  const databaseUrl = `sqlite:${await tempDir()}/llmgine.db`;
  const before = await startApp({ config: { databaseUrl } });
  const url = before.wsUrl(await before.createSession());
  const [greeted, following, plain] = [
    await TestSocket.open(url),
    await TestSocket.open(url),
    await TestSocket.open(url),
  ];
  await greeted.request('hello');
  await following.request('subscribe');
  await plain.request('event', { event_type: 'custom:seen' });
  await following.findEvent('custom:seen');
  plain.send({ type: 'event', data: { event_type: 'custom:late' } });
  await plain.find((frame) => frame.type === 'event_published' && frame.message_id === undefined);

  await before.app.close();

  for (const socket of [greeted, following, plain]) expect((await socket.closed).code).toBe(1012);
  const goingAway = {
    type: 'going_away',
    server_initiated: true,
    data: { reason: expect.any(String), cursor: null, reconnect_after_ms: expect.any(Number) },
  };
  expect(greeted.frames.slice(1)).toEqual([goingAway]);
  expect(plain.frames.map(({ type }) => type)).toEqual(['event_published', 'event_published']);
  const { cursor } = following.events.at(-1);
  expect(following.frames.at(-1)).toEqual({ ...goingAway, data: { ...goingAway.data, cursor } });

  const after = await startApp({ config: { databaseUrl } });
  const again = await TestSocket.open(after.wsUrl(new URL(url).pathname.split('/')[3] as string));
  await again.request('subscribe', { after: cursor });
  await again.request('event', { event_type: 'custom:after' });
  await again.findEvent('custom:after');
  expect([...following.events, ...again.events].map(({ event_type }) => event_type)).toEqual([
    'custom:seen',
    'custom:late',
    'custom:after',
  ]);
});

test('a peer that does not answer does not hold up the stop', async () => {
  const { app, wsUrl, createSession } = await startApp({ config: { websocketStallTimeout: 0.1 } });
  const raw = await RawSocket.open(wsUrl(await createSession()));
  await app.close();
  expect(await raw.closeCode()).toBe(1012);
});

test('sockets cost no timers, and what they had is gone with them', async () => {
  const { app, wsUrl, createSession } = await startApp();
  const url = wsUrl(await createSession());
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const first = await RawSocket.open(url);
  const one = timers();
  const others = await Promise.all(Array.from({ length: 100 }, () => RawSocket.open(url)));
  expect(app.messaging.connections()).toHaveLength(101);
  expect(timers()).toBeLessThan(one + 10);
  for (const raw of [first, ...others]) raw.socket.destroy();
  await expect.poll(() => app.messaging.connections(), { interval: 5 }).toEqual([]);
  expect(await app.services.metrics.text()).toContain('\nllmgine_websockets 0\n');
});
