/** What becomes of a session when its connection ends, in whatever way. */
import { LlmgineClient, LlmgineError, type Session } from '@llmgine/client';
import { CLOSE_CODE_MEANINGS } from '@llmgine/protocol/wire';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startProxy } from '../../../tests/faults/tcp-proxy.ts';
import { startApp } from '../../../tests/helpers/app.ts';
import { stateOf, testClient } from './helpers.ts';
import { startWireServer } from './wire-server.ts';

const ID = '00000000-0000-4000-8000-000000000000';

const statesOf = (session: Session) => {
  const states: string[] = [session.state];
  session.onState((state) => states.push(state));
  return states;
};

test.each(Object.entries(CLOSE_CODE_MEANINGS).map(([code, meaning]) => ({ code: Number(code), ...meaning })))(
  'close code $code ($text): connects again is $reconnect',
  async ({ code, reconnect }) => {
    const { url, sockets } = await startWireServer({
      subscribed: (socket, n) => n === 1 && socket.close(code, 'for a test'),
    });
    const session = testClient(url).session(ID);
    const states = statesOf(session);
    await session.connect();
    expect(await stateOf(session, 'reconnecting', 'closed')).toBe(reconnect ? 'reconnecting' : 'closed');
    if (reconnect) {
      await stateOf(session, 'open');
      expect(states).toEqual(['idle', 'connecting', 'open', 'reconnecting', 'open']);
      expect(session.closeReason).toBeNull();
    } else {
      expect(session.closeReason).toMatchObject({ code, reason: 'for a test' });
      expect(session.closeReason?.error).toBeInstanceOf(LlmgineError);
      await expect(session.status()).rejects.toBe(session.closeReason?.error);
      expect(sockets).toHaveLength(1);
    }
  },
);

test('a code that nobody knows may come from a newer server, and is tried again', async () => {
  const { url } = await startWireServer({ subscribed: (socket, n) => n === 1 && socket.close(4999, 'new') });
  const session = testClient(url).session(ID);
  await session.connect();
  await stateOf(session, 'reconnecting');
  expect(session.error?.message).toContain('new');
  await stateOf(session, 'open');
});

test('a session that is not there closes for good, and says so', async () => {
  const { url } = await startApp();
  const session = testClient(url).session(ID);
  await expect(session.connect()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  expect(session).toMatchObject({ state: 'closed', closeReason: { code: 4004 } });
  await expect(session.prompt('Hello').result).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  expect(() => session.attach(ID).result).not.toThrow();
  await expect(session.attach(ID).result).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
});

test('who is not let in learns it from the call that no socket answers', async () => {
  const { url, createSession } = await startApp({ config: { corsOrigins: ['https://app.example'] } });
  const id = await createSession();
  const forwarded = { 'x-forwarded-for': '198.51.100.1' };
  // The handshake comes from elsewhere, too.
  class Elsewhere extends (await import('ws')).WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols, { headers: forwarded });
    }
  }
  const client = testClient(url, { headers: forwarded, WebSocket: Elsewhere as never });
  await expect(client.session(id).connect()).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
});

test('a server that asks to wait before coming again is obeyed', async () => {
  const { url, sockets } = await startWireServer({
    subscribed: (socket, n) => {
      if (n > 1) return;
      const data = { reason: 'draining', cursor: 'epoch0:0', reconnect_after_ms: 5 };
      socket.send(JSON.stringify({ type: 'going_away', server_initiated: true, data }));
      socket.close(1012, 'draining');
    },
  });
  const day = 86_400_000;
  const session = testClient(url, { times: { firstDelayMs: day, maxDelayMs: day } }).session(ID);
  await session.connect();
  await stateOf(session, 'reconnecting');
  await stateOf(session, 'open');
  expect(sockets).toHaveLength(2);
});

test('a server that falls silent is found out, and left for another connection', async () => {
  const { url } = await startWireServer();
  const proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(url).port) });
  const times = { heartbeatMs: 20, heartbeatTimeoutMs: 100 };
  const session = testClient(proxy.url(), { times }).session(ID);
  await session.connect();
  proxy.set({ flow: 'swallow' });
  await stateOf(session, 'reconnecting');
  expect(session.error?.code).toBe('CONNECTION_LOST');
  proxy.heal();
  proxy.cut();
  await stateOf(session, 'open');
});

test('a connection that answers stays, however little is said on it', async () => {
  const { url, frames, sockets } = await startWireServer();
  const session = testClient(url, { times: { heartbeatMs: 5, heartbeatTimeoutMs: 500 } }).session(ID);
  await session.connect();
  await expect.poll(() => frames.filter(({ type }) => type === 'ping').length).toBeGreaterThan(1);
  expect(sockets).toHaveLength(1);
});

test('a handshake that is not answered is given up, and tried again', async () => {
  const { url } = await startWireServer();
  const proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(url).port) });
  proxy.accept = 'swallow';
  const session = testClient(proxy.url(), { times: { openTimeoutMs: 30 }, timeoutMs: 30 }).session(ID);
  const open = session.connect();
  await expect.poll(() => proxy.accepted).toBeGreaterThan(1);
  expect(session.state).toBe('connecting');
  proxy.heal();
  proxy.cut();
  await open;
});

test('without a network it says so, tries on, and is there at once when the network is', async () => {
  const { url } = await startWireServer({ subscribed: (socket, n) => n === 1 && socket.close(1012) });
  const [events, day] = [new EventTarget(), 86_400_000];
  const navigator = { onLine: false };
  vi.stubGlobal('navigator', navigator);
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
  vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events));
  onTestFinished(() => void vi.unstubAllGlobals());
  const session = testClient(url, { times: { firstDelayMs: day, maxDelayMs: day } }).session(ID);
  await session.connect();
  await stateOf(session, 'offline');
  navigator.onLine = true;
  events.dispatchEvent(new Event('online'));
  expect(session.state).toBe('reconnecting');
  await stateOf(session, 'open');
});

test('a page that is looked at again asks at once whether the server is still there, and does not wait to connect', async () => {
  let isAlive = true;
  const { url, frames, sockets } = await startWireServer({
    answer: (frame, socket) => {
      if (isAlive) socket.send(JSON.stringify({ type: 'pong', message_id: frame.message_id, data: {} }));
      else socket.close(1012);
    },
  });
  const day = 86_400_000;
  const page = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal('document', page);
  onTestFinished(() => void vi.unstubAllGlobals());
  const session = testClient(url, { times: { firstDelayMs: day, maxDelayMs: day } }).session(ID);
  await session.connect();
  const look = (hidden: boolean) => {
    page.hidden = hidden;
    page.dispatchEvent(new Event('visibilitychange'));
  };
  look(true);
  await session.connect();
  expect(frames).toEqual([]);
  isAlive = false;
  look(false);
  await stateOf(session, 'reconnecting');
  isAlive = true;
  look(false);
  await stateOf(session, 'open');
  expect(sockets).toHaveLength(2);
});

test('waits double, are drawn up to their limit, and begin anew after a time that was good', async () => {
  const { Backoff } = await import('../src/connection/backoff.ts');
  const backoff = new Backoff({ firstMs: 250, maxMs: 15_000 }, () => 1);
  expect(Array.from({ length: 8 }, () => backoff.next())).toEqual([
    250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000,
  ]);
  backoff.reset();
  expect(backoff.next()).toBe(250);
  expect(new Backoff({ firstMs: 250, maxMs: 15_000 }, () => 0).next()).toBe(0);
});

test('a closed session goes on from where it was when it is connected again', async () => {
  const { url, createSession } = await startApp();
  const client = testClient(url);
  const session = client.session(await createSession());
  await session.publish('custom:before');
  session.close();
  expect(session).toMatchObject({ state: 'closed', closeReason: { code: null, error: null } });
  await expect(session.publish('custom:no')).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  await client.request('POST', `/api/sessions/${session.id}/events`, {
    body: { event_type: 'custom:missed' },
  });
  const seen: string[] = [];
  session.on('*', ({ event_type }) => seen.push(event_type));
  await session.connect();
  await session.publish('custom:after');
  await expect.poll(() => seen).toEqual(['custom:missed', 'custom:after']);
});

test('closing ends the socket, and whoever waits is told', async () => {
  const { url, sockets } = await startWireServer({ answer: () => {} });
  const client = new LlmgineClient({ url });
  const session = client.session(ID);
  await session.connect();
  const waiting = session.status();
  const run = session.prompt('Hello');
  const loop = (async () => {
    for await (const _ of run);
  })();
  const gone = new Promise((resolve) => sockets[0]?.once('close', resolve));
  client.close();
  for (const each of [waiting, run.accepted, run.result, run.text, loop]) {
    await expect(each).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  }
  await gone;
});

test('what a listener throws disturbs nobody, and is reported', async () => {
  const { url, createSession } = await startApp();
  const onError = vi.fn();
  const session = testClient(url, { onError }).session(await createSession());
  const seen: string[] = [];
  session.on('*', () => {
    throw new Error('mine');
  });
  session.on('*', ({ event_type }) => seen.push(event_type));
  await session.publish('custom:a');
  await expect.poll(() => seen).toEqual(['custom:a']);
  expect(onError).toHaveBeenCalledExactlyOnceWith(new Error('mine'));
});

test('an answer of something that is not the server does not end a session that was there', async () => {
  let isElsewhere = false;
  const { url } = await startWireServer({
    subscribed: (socket, n) => {
      if (n > 1) return;
      isElsewhere = true;
      socket.close(1012);
    },
    http: (_request, response) => {
      if (!isElsewhere) {
        response.end(JSON.stringify({ ticket: 'abc' }));
        return;
      }
      isElsewhere = false;
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Log in to the network</h1>');
    },
  });
  const session = testClient(url, { token: 'a key' }).session(ID);
  await session.connect();
  expect(await stateOf(session, 'reconnecting', 'closed')).toBe('reconnecting');
  expect(await stateOf(session, 'open', 'closed')).toBe('open');
});

test('an address where no such server is is told at once', async () => {
  const { url } = await startWireServer({ http: (_request, response) => response.writeHead(404).end('no') });
  const session = testClient(url, { token: 'a key' }).session(ID);
  await expect(session.connect()).rejects.toMatchObject({ code: 'INVALID_RESPONSE', status: 404 });
});

test('what a listener rejects with later is reported, too', async () => {
  const { url, createSession } = await startApp();
  const onError = vi.fn();
  const session = testClient(url, { onError }).session(await createSession());
  session.on('*', async () => {
    throw new Error('mine');
  });
  await session.publish('custom:a');
  await expect.poll(() => onError.mock.calls).toEqual([[new Error('mine')]]);
});

test('a subscription that is refused for a time is not asked for before', async () => {
  const at: number[] = [];
  const { url } = await startWireServer({
    refuses: () => (at.push(performance.now()) === 1 ? 'RATE_LIMITED' : null),
    retryAfter: 0.3,
  });
  await testClient(url).session(ID).connect();
  expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(290);
});

test.each(['null', '7', 'no JSON'])('a server that says %s is left for another connection', async (text) => {
  const { url } = await startWireServer({ subscribed: (socket, n) => n === 1 && socket.send(text) });
  const session = testClient(url).session(ID);
  await session.connect();
  await stateOf(session, 'reconnecting');
  expect(session.error?.code).toBe('INVALID_RESPONSE');
  await stateOf(session, 'open');
});
