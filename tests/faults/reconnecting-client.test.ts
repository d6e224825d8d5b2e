import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { startApp } from '../helpers/app.ts';
import { say, testEngine } from '../helpers/test-engine.ts';
import { check } from './checker.ts';
import { finalLog } from './final-log.ts';
import { History } from './history.ts';
import { Random } from './random.ts';
import { ReconnectingClient } from './reconnecting-client.ts';
import { startProxy } from './tcp-proxy.ts';

/** A server whose engine says ten pieces, and clients that reach it through a proxy. */
async function startThroughProxy() {
  const apiFactory = testEngine(async (context) => {
    for (let n = 0; n < 10; n++) {
      say(context, `m${n}`, `${n}`);
      context.emit({ event_type: 'message_discarded', payload: { message_id: `m${n}` } });
      await context.drain();
    }
    return 'done';
  });
  const app = await startApp({ apiFactory });
  const { hostname, port } = new URL(app.url);
  const random = new Random(1);
  const proxy = await startProxy({ host: hostname, port: Number(port) }, random);
  const session = await app.createSession({ engine_type: 'TestEngine' });
  const history = new History();
  const url = () => `${proxy.url('ws')}/api/sessions/${session}/ws`;
  const connect = (name: string, options: { patienceMs?: number; silenceMs?: number } = {}) =>
    ReconnectingClient.start({ name, session, url, history, random, ...options });
  /** After everybody has seen everything. */
  const violations = async (...clients: ReconnectingClient[]) => {
    const log = await finalLog(app.url, session);
    const head = log.readings.rest?.at(-1)?.seq ?? 0;
    await history.until(() => clients.every(({ seq }) => seq >= head));
    return check(history, [log], { allCompleted: true, caughtUp: clients.map(({ name }) => name) });
  };
  return { ...app, proxy, history, session, connect, violations };
}

test('it gets its results and sees the log once, in order, however often its connection is lost', async () => {
  const { proxy, history, connect, violations } = await startThroughProxy();
  const [one, two] = [await connect('one'), await connect('two')];
  // Lost again and again, each time at another place of the stream.
  const lose = async () => {
    for (let bytes = 100; bytes < 4000; bytes += 300) {
      const { accepted } = proxy;
      proxy.cutAfter(bytes, 'toClient');
      while (proxy.accepted === accepted) await one.publish('custom:n', { id: randomUUID() });
    }
  };
  const results = Promise.all(
    [one, two].flatMap((client) => [1, 2, 3].map((n) => client.command('act', { n }))),
  );
  await lose();
  for (const { status, result } of await results) expect([status, result]).toEqual(['completed', 'done']);

  expect(one.connections + two.connections).toBeGreaterThan(10);
  expect(await violations(one, two)).toEqual([]);
  const kinds = history.operations.map(({ kind, outcome }) => `${kind} ${outcome}`);
  expect(kinds.filter((kind) => kind === 'command ok')).toHaveLength(6);
});

test('what is lost on the way is sent again under the same id, and is there once', async () => {
  const { proxy, connect, violations } = await startThroughProxy();
  const client = await connect('one');
  proxy.set({ flow: 'swallow' }, 'toClient');
  const before = proxy.swallowed.toClient.bytes;
  const published = client.publish('custom:note', { text: 'x' });
  // The server has answered, and the answer is lost.
  await expect.poll(() => proxy.swallowed.toClient.bytes).toBeGreaterThan(before);
  proxy.heal();
  client.drop();

  expect(await published).toMatch(/:\d+$/);
  expect(client.connections).toBe(2);
  expect(await violations(client)).toEqual([]);
});

test('it notices a connection that has fallen silent', async () => {
  const { proxy, connect, violations } = await startThroughProxy();
  const client = await connect('one', { silenceMs: 100 });
  proxy.set({ flow: 'swallow' });
  const published = client.publish('custom:note', { text: 'x' });
  await expect.poll(() => client.connections).toBeGreaterThan(1);
  proxy.heal();
  await published;
  expect(await violations(client)).toEqual([]);
});

test('it gives up when there is no connection for too long: what it sent is unknown', async () => {
  const { proxy, connect, history, violations } = await startThroughProxy();
  const client = await connect('one', { patienceMs: 200 });
  proxy.set({ flow: 'swallow' }, 'toServer');
  const published = client.publish('custom:note', { text: 'x' });
  await expect.poll(() => proxy.swallowed.toServer.bytes).toBeGreaterThan(0);
  proxy.accept = 'refuse';
  proxy.cut();

  await expect(published).rejects.toThrow('no connection for 200 ms');
  expect(history.operations.at(-1)).toMatchObject({ kind: 'event', outcome: 'unknown' });
  expect(await violations()).toEqual([]);
});

test('what is refused for good is rejected, and has not happened', async () => {
  const { connect, history, violations } = await startThroughProxy();
  const client = await connect('one');
  await expect(client.publish('not-custom', {})).rejects.toThrow('VALIDATION_ERROR');
  await expect(client.cancel('00000000-0000-4000-8000-000000000000')).rejects.toThrow('RUN_NOT_FOUND');
  expect(history.operations.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
  expect(await violations(client)).toEqual([]);
});

test('what is refused for the moment is sent again, for as long as its patience lasts', async () => {
  const { url, connections } = await startScripted((say, { type, message_id, data }) => {
    if (type === 'subscribe') say(message_id, { cursor: 'aaaa:0', resync_required: false });
    else if (data.payload.n > 3) say(message_id, { cursor: 'aaaa:1' });
    else say(message_id, { code: 'UNAVAILABLE', message: 'Not now' }, 'error');
  });
  const history = new History();
  const options = { name: 'one', session: 's', url: () => url, history, patienceMs: 150 };
  const client = await ReconnectingClient.start(options);

  await expect(client.publish('custom:n', { n: 1 })).rejects.toThrow('UNAVAILABLE: Not now');
  expect(history.operations).toMatchObject([{ outcome: 'unknown', unordered: true }]);
  expect(await client.publish('custom:n', { n: 4 })).toBe('aaaa:1');
  expect(connections()).toBe(1);
});

test('sent again, a refused answer says that somebody else was first, and a refused claim says nothing', async () => {
  const subscriptions: unknown[] = [];
  const { url } = await startScripted((say, { type, message_id }) => {
    if (type === 'subscribe') {
      subscriptions.push(message_id);
      say(message_id, { cursor: 'aaaa:0', resync_required: false });
    } else if (subscriptions.length > 1) {
      say(message_id, { code: 'REQUEST_ALREADY_ANSWERED', message: 'Too late' }, 'error');
    }
  });
  const history = new History();
  const client = await ReconnectingClient.start({ name: 'one', session: 's', url: () => url, history });
  const sent = [client.answer('q1', { outcome: 'approved' }), client.claim('q2')];
  client.drop();

  expect(await Promise.allSettled(sent)).toMatchObject([
    { reason: { code: 'REQUEST_ALREADY_ANSWERED', isCertain: true } },
    { reason: { code: 'REQUEST_ALREADY_ANSWERED', isCertain: false } },
  ]);
  expect(history.operations.map(({ kind, outcome }) => [kind, outcome])).toEqual([
    ['answer', 'failed'],
    ['claim', 'unknown'],
  ]);
});

test('a deleted session ends it at once', async () => {
  const { url, session, connect } = await startThroughProxy();
  const client = await connect('one', { patienceMs: 60_000 });
  await fetch(`${url}/api/sessions/${session}`, { method: 'DELETE' });
  await expect.poll(() => client.publish('custom:note', {}).catch(String)).toContain('is gone');
});

test('told that its place is gone, it takes the history and goes on from there', async () => {
  const subscriptions: unknown[] = [];
  const { url } = await startScripted((say, { type, message_id, data }) => {
    if (type === 'history') say(message_id, { cursor: 'bbbb:7' });
    if (type !== 'subscribe') return;
    subscriptions.push(data.after);
    const gone = subscriptions.length === 2;
    say(message_id, { cursor: gone ? 'bbbb:9' : (data.after ?? 'aaaa:3'), resync_required: gone });
  });
  const history = new History();
  const client = await ReconnectingClient.start({ name: 'one', session: 's', url: () => url, history });
  client.drop();
  await history.until(({ sightings }) => sightings.length === 3);

  expect(subscriptions).toEqual([undefined, 'aaaa:3', 'bbbb:7']);
  expect(history.sightings).toMatchObject([
    { connection: 1, kind: 'subscribed', cursor: 'aaaa:3' },
    { connection: 2, kind: 'resynced', cursor: 'bbbb:7' },
    { connection: 2, kind: 'subscribed', cursor: 'bbbb:7' },
  ]);
  expect(check(history, [])).toEqual([]);
});

type Say = (messageId: string, data: object, type?: string) => void;
// biome-ignore lint/suspicious/noExplicitAny: frames of every type.
type Frame = { readonly type: string; readonly message_id: string; readonly data: any };

/** A server that answers as the test says. */
async function startScripted(answer: (say: Say, frame: Frame) => void) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => {
    for (const peer of server.clients) peer.terminate();
    server.close();
  });
  await once(server, 'listening');
  let connections = 0;
  server.on('connection', (peer) => {
    connections++;
    const say: Say = (message_id, data, type = 'reply') => {
      peer.send(JSON.stringify({ type, message_id, data }));
    };
    peer.on('message', (text) => answer(say, JSON.parse(String(text)) as Frame));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}`, connections: () => connections };
}
