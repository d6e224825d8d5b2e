import { eventPageSchema } from '@llmgine/protocol';
import { expect, it, vi } from 'vitest';
import { type StartOptions, startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { TestStream } from '../../../../tests/helpers/sse-client.ts';
import { expectProblem } from './expect-problem.ts';
import { open } from './raw.ts';

async function start(options: StartOptions = {}) {
  const { app, url, createSession } = await startApp(options);
  const session = `${url}/api/sessions/${await createSession()}`;
  const publish = async (n: number, payload: object = { n }) =>
    (await call('POST', `${session}/events`, { event_type: 'custom:note', payload })).body.cursor as string;
  return { app, url, session, publish };
}

const numbers = (stream: TestStream) =>
  stream.events.filter(({ event }) => event === 'custom:note').map(({ data }) => data.payload.n);

it('reads the log in pages that fit together', async () => {
  const { session, publish } = await start();
  for (let n = 0; n < 5; n++) await publish(n);

  const first = await call('GET', `${session}/events?limit=2`);
  const second = await call('GET', `${session}/events?limit=2&after=${first.body.cursor}`);
  const third = await call('GET', `${session}/events?limit=2&after=${second.body.cursor}`);
  const fourth = await call('GET', `${session}/events?after=${third.body.cursor}`);

  const pages = [first, second, third, fourth].map(({ body }) => eventPageSchema.parse(body));
  expect(pages.flatMap(({ events }) => events.map(({ payload }) => payload.n))).toEqual([0, 1, 2, 3, 4]);
  expect(pages.map((page) => page.has_more)).toEqual([true, true, false, false]);
  expect(pages.every((page) => !page.resync_required)).toBe(true);
});

it('tells a reader whose cursor names nothing', async () => {
  const { session } = await start();

  expect((await call('GET', `${session}/events?after=anotherepoch:3`)).body.resync_required).toBe(true);
  expectProblem(await call('GET', `${session}/events?after=nonsense`), 'INVALID_CURSOR');
});

it('publishes an event once for each id', async () => {
  const { session } = await start();
  const event = { event_type: 'custom:note', payload: { n: 1 } };

  const first = await call('POST', `${session}/events`, { ...event, event_id: 'a' });
  const again = await call('POST', `${session}/events`, { ...event, event_id: 'a' });
  const other = await call('POST', `${session}/events`, { ...event, payload: { n: 2 }, event_id: 'a' });

  expect(first.status).toBe(201);
  expect(again.body).toEqual(first.body);
  expectProblem(other, 'IDEMPOTENCY_MISMATCH');
});

it('publishes custom events only', async () => {
  const { session } = await start();

  for (const event_type of ['run_finished', 'custom:', 'custom:a b', '']) {
    expectProblem(await call('POST', `${session}/events`, { event_type }), 'VALIDATION_ERROR');
  }
});

it('streams from now on, with a place to go on from before anything happens', async () => {
  const { session, publish } = await start();
  await publish(1);
  const stream = await TestStream.open(`${session}/events`);
  await vi.waitUntil(() => stream.lastEventId !== undefined);
  await stream.close();
  await publish(2);

  const resumed = await TestStream.open(`${session}/events`, {
    headers: { 'last-event-id': stream.lastEventId ?? '' },
  });
  await publish(3);
  await resumed.find(({ data }) => data.payload.n === 3);

  expect(numbers(resumed)).toEqual([2, 3]);
});

it('streams what follows a cursor, the same as the pages say', async () => {
  const { session, publish } = await start();
  const after = await publish(1);
  for (const n of [2, 3]) await publish(n);

  const stream = await TestStream.open(`${session}/events?after=${after}`);
  await publish(4);
  await stream.find(({ data }) => data.payload.n === 4);

  const page = await call('GET', `${session}/events?after=${after}`);
  expect(stream.events.map(({ data }) => data)).toEqual(page.body.events);
  expect(stream.events.map(({ id }) => id)).toEqual(
    page.body.events.map(({ cursor }: { cursor: string }) => cursor),
  );
});

it('follows Last-Event-ID rather than the address, as an EventSource that reconnects needs it', async () => {
  const { session, publish } = await start();
  const first = await publish(1);
  const second = await publish(2);
  await publish(3);

  const stream = await TestStream.open(`${session}/events?after=${first}`, {
    headers: { 'last-event-id': second },
  });
  await stream.findEvent('custom:note');

  expect(numbers(stream)).toEqual([3]);
});

it('tells a stream that cannot go on where it was', async () => {
  const { session, publish } = await start();
  await publish(1);

  const stream = await TestStream.open(`${session}/events?after=anotherepoch:3`);
  const resync = await stream.findEvent('resync_required');
  await publish(2);
  await stream.findEvent('custom:note');

  expect(resync.data).toMatchObject({ resync_required: true });
  expect(numbers(stream)).toEqual([2]);
});

it('answers with a problem, not a stream, when there is nothing to stream', async () => {
  const { url, session } = await start();
  const headers = { accept: 'text/event-stream' };
  const unknown = `${url}/api/sessions/00000000-0000-4000-8000-000000000000/events`;

  expectProblem(await call('GET', unknown, undefined, headers), 'SESSION_NOT_FOUND');
  expectProblem(await call('GET', `${session}/events?after=x`, undefined, headers), 'INVALID_CURSOR');
  expectProblem(await call('GET', `${session}/events?limit=x`, undefined, headers), 'VALIDATION_ERROR');
});

it('answers HEAD at once, and JSON to those who take anything', async () => {
  const { session } = await start();

  const head = await fetch(`${session}/events`, { method: 'HEAD', headers: { accept: 'text/event-stream' } });
  const anything = await fetch(`${session}/events`, { headers: { accept: 'text/event-stream;q=0, */*' } });

  expect([head.status, anything.status]).toEqual([200, 200]);
  expect(anything.headers.get('content-type')).toContain('application/json');
});

it('lets pages of allowed origins follow, and no cache or proxy hold back', async () => {
  const { session } = await start();

  const stream = await fetch(`${session}/events`, {
    headers: { accept: 'text/event-stream', origin: 'http://localhost:5173' },
  });
  await stream.body?.cancel();

  expect(stream.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
  expect(stream.headers.get('cache-control')).toBe('no-store');
  expect(stream.headers.get('x-accel-buffering')).toBe('no');
  expect(stream.headers.get('x-request-id')).toMatch(/^req_/);
});

it('ends the streams of a session that is deleted', async () => {
  const { session } = await start();
  const stream = await TestStream.open(`${session}/events`);

  await call('DELETE', session);
  await stream.ended;

  expectProblem(await call('GET', `${session}/events`), 'SESSION_NOT_FOUND');
});

it('ends the streams of a session that expires', async () => {
  const { session } = await start({ config: { sessionTimeout: 0.2 } });
  const stream = await TestStream.open(`${session}/events`);

  await stream.ended;

  expectProblem(await call('GET', session), 'SESSION_NOT_FOUND');
});

it('sends its clients away when the server stops, with a place to go on from', async () => {
  const { app, session, publish } = await start();
  const stream = await TestStream.open(`${session}/events`);
  const cursor = await publish(1);
  await stream.findEvent('custom:note');

  await app.close();
  await stream.ended;

  expect(stream.events.at(-1)).toMatchObject({ event: 'going_away', data: { cursor } });
  expect(stream.events.at(-1)?.data.reconnect_after_ms).toBeGreaterThan(0);
});

it('keeps silent streams alive with comments', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const { session } = await start();
    const stream = open(session);
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += String(chunk);
    });
    stream.write(
      `GET ${new URL(session).pathname}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
    );
    await vi.waitUntil(() => text.includes('retry:'));

    vi.advanceTimersByTime(15_000);
    await vi.waitUntil(() => text.endsWith('\r\n:\n\n\r\n'));
  } finally {
    vi.useRealTimers();
  }
});

it('cuts off a client that does not read, without losing anything for it', async () => {
  const { app, session, publish } = await start({ config: { websocketStallTimeout: 0.1 } });
  const big = 'x'.repeat(500_000);
  const stuck = open(session);
  stuck.write(
    `GET ${new URL(session).pathname}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await new Promise((resolve) => stuck.once('data', resolve));
  stuck.pause();
  const count = 24;
  const first = await publish(0);

  for (let n = 1; n <= count; n++) await publish(n, { n, big });
  await vi.waitUntil(
    async () => (await app.services.metrics.text()).includes('llmgine_event_streams 0'),
    10_000,
  );

  const resumed = await TestStream.open(`${session}/events?after=${first}`);
  await resumed.find(({ data }) => data.payload.n === count);
  expect(numbers(resumed)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
});

it('is not kept from stopping by a client that does not read', async () => {
  const { app, session, publish } = await start({ config: { websocketStallTimeout: 3600 } });
  const stuck = open(session);
  stuck.write(
    `GET ${new URL(session).pathname}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await new Promise((resolve) => stuck.once('data', resolve));
  stuck.pause();
  for (let n = 1; n <= 24; n++) await publish(n, { n, big: 'x'.repeat(500_000) });

  await expect(app.close()).resolves.toBeUndefined();
});

it('catches up a client that pauses and reads on', async () => {
  const { session, publish } = await start();
  const slow = open(session);
  let text = '';
  slow.on('data', (chunk: Buffer) => {
    text += String(chunk);
  });
  slow.write(
    `GET ${new URL(session).pathname}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await vi.waitUntil(() => text.includes('retry:'));
  slow.pause();
  const count = 24;

  for (let n = 1; n <= count; n++) await publish(n, { n, big: 'x'.repeat(500_000) });
  slow.resume();
  await vi.waitUntil(() => text.includes(`"n":${count},`), 10_000);

  const seen = [...text.matchAll(/"n":(\d+),/g)].map((match) => Number(match[1]));
  expect(seen).toEqual(Array.from({ length: count }, (_, i) => i + 1));
});
