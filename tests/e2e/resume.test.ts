/** A client goes away and comes back with its cursor. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startApp, type TestApp } from '../helpers/app.ts';
import { call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { say, testEngine, testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

/** Says a, b · stands at the first gate · says c, d · stands at the second · says e. */
async function startStoppableAnswer() {
  const gates = [testGate(), testGate()] as const;
  const apiFactory = testEngine(async (context) => {
    const speak = async (text: string) => {
      context.emit({ event_type: 'text_delta', payload: { message_id: 'm', text } });
      await context.drain();
    };
    say(context, 'm');
    for (const text of ['a', 'b']) await speak(text);
    await gates[0].pass();
    for (const text of ['c', 'd']) await speak(text);
    await gates[1].pass();
    await speak('e');
    return 'done';
  });
  const app = await startApp({ apiFactory });
  const id = await app.createSession({ engine_type: 'TestEngine' });
  const observer = await TestSocket.open(app.wsUrl(id));
  await observer.request('subscribe');
  return { ...app, id, observer, gates };
}

const says = (text: string) => (data: { payload?: { text?: string } }) => data.payload?.text === text;

test('a socket that drops mid-stream resumes with exactly what it missed; the run went on', async () => {
  const { id, wsUrl, observer, gates } = await startStoppableAnswer();
  const socket = await TestSocket.open(wsUrl(id));
  socket.send({ type: 'command', data: { command: 'act' } });
  await socket.find(({ data }) => says('b')(data));
  socket.ws.terminate();
  await socket.closed;

  gates[0].open();
  await observer.find(({ data }) => says('d')(data));
  const back = await TestSocket.open(wsUrl(id));
  const cursor = socket.events.at(-1)?.cursor;
  const subscribed = await back.request('subscribe', { after: cursor });
  await back.find(({ data }) => says('d')(data));
  gates[1].open();
  await back.findEvent('run_finished');
  await observer.findEvent('run_finished');

  expect(subscribed.data).toEqual({ cursor, resync_required: false });
  expect(back.frames[0]).toEqual(subscribed);
  expect([...socket.events, ...back.events]).toEqual(observer.events);
  expect(observer.events.at(-1)?.payload).toMatchObject({ status: 'completed', result: 'done' });
});

test('an event stream that drops resumes after Last-Event-ID with exactly what it missed', async () => {
  const { id, url, observer, gates } = await startStoppableAnswer();
  const events = `${url}/api/sessions/${id}/events`;
  const stream = await TestStream.open(events);
  observer.send({ type: 'command', data: { command: 'act' } });
  await stream.find(({ data }) => says('b')(data));
  await stream.close();

  gates[0].open();
  await observer.find(({ data }) => says('d')(data));
  // The header wins over the address that the client began with.
  const back = await TestStream.open(`${events}?after=${observer.events[0].cursor}`, {
    headers: { 'last-event-id': stream.lastEventId ?? '' },
  });
  await back.find(({ data }) => says('d')(data));
  gates[1].open();
  await back.findEvent('run_finished');
  await observer.findEvent('run_finished');

  expect([...stream.events, ...back.events].map(({ data }) => data)).toEqual(observer.events);
});

test('a command whose stream dropped is sent again: it attaches, resumes, and ends with the result', async () => {
  const { id, url, observer, gates } = await startStoppableAnswer();
  const commands = `${url}/api/sessions/${id}/commands`;
  const body = { command: 'act', run_id: randomUUID() };
  const stream = await TestStream.open(commands, { method: 'POST', body });
  await stream.find(({ data }) => says('b')(data));
  await stream.close();

  for (const gate of gates) gate.open();
  await observer.findEvent('run_finished');
  const back = await TestStream.open(commands, {
    method: 'POST',
    body,
    headers: { 'last-event-id': stream.lastEventId ?? '' },
  });
  await back.ended;

  const result = back.events.pop();
  expect(result).toMatchObject({ event: 'command_result', data: { status: 'completed', result: 'done' } });
  expect([...stream.events, ...back.events].map(({ data }) => data)).toEqual(observer.events);
});

test('a client that dropped before its first event resumes from where the stream began', async () => {
  const { id, url, observer } = await startStoppableAnswer();
  const stream = await TestStream.open(`${url}/api/sessions/${id}/events`);
  await expect.poll(() => stream.lastEventId).toMatch(/:\d+$/);
  await stream.close();

  await observer.request('event', { event_type: 'custom:meanwhile' });
  const back = await TestStream.open(`${url}/api/sessions/${id}/events`, {
    headers: { 'last-event-id': stream.lastEventId ?? '' },
  });

  await back.findEvent('custom:meanwhile');
  expect(back.events.map(({ data }) => data)).toEqual(observer.events);
});

test('whoever drops at random and changes transport at random reads the log once, in order', async () => {
  const app = await startApp({ config: { maxSessions: 1000 } });
  const transport = fc.constantFrom('socket' as const, 'stream' as const);
  const legs = fc.array(fc.record({ transport, events: fc.integer({ min: 1, max: 12 }) }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(legs, async (legs) => {
      const id = await app.createSession();
      const publisher = await TestSocket.open(app.wsUrl(id));
      const total = legs.reduce((sum, leg) => sum + leg.events, 0);
      const from = (await publisher.request('subscribe')).data.cursor as string;
      for (let n = 0; n < total; n++) {
        publisher.send({ type: 'event', data: { event_type: 'custom:n', payload: { n } } });
      }
      const read: { cursor: string }[] = [];
      for (const leg of legs) {
        const after = read.at(-1)?.cursor ?? from;
        read.push(...(await readSome(app, id, leg.transport, after, leg.events)));
      }
      await publisher.find(() => publisher.events.length === total);
      expect(read).toEqual(publisher.events);
      await publisher.close();
    }),
    { numRuns: 12 },
  );
});

/** Reads at least one event and at most so many, and hangs up. */
async function readSome(
  { url, wsUrl }: TestApp,
  id: string,
  transport: 'socket' | 'stream',
  after: string,
  count: number,
): Promise<{ cursor: string }[]> {
  if (transport === 'stream') {
    const stream = await TestStream.open(`${url}/api/sessions/${id}/events?after=${after}`);
    await stream.find(() => stream.events.length >= count);
    await stream.close();
    return stream.events.slice(0, count).map(({ data }) => data);
  }
  const socket = await TestSocket.open(wsUrl(id));
  socket.send({ type: 'subscribe', data: { after } });
  await socket.find(() => socket.events.length >= count);
  socket.ws.terminate();
  return socket.events.slice(0, count);
}

async function startWithEvents() {
  const app = await startApp();
  const id = await app.createSession();
  const socket = await TestSocket.open(app.wsUrl(id));
  const { data } = await socket.request('event', { event_type: 'custom:one' });
  const head = data.cursor as string;
  const [epoch, seq] = head.split(':') as [string, string];
  return { ...app, id, socket, head, beyond: `${epoch}:${Number(seq) + 1}`, foreign: `other${epoch}:${seq}` };
}

test.each(['beyond', 'foreign'] as const)(
  'a cursor %s the log asks for a resync, on every transport',
  async (which) => {
    const start = await startWithEvents();
    const { url, id, socket, head } = start;
    const cursor = start[which];
    const events = `${url}/api/sessions/${id}/events`;

    const subscribed = await socket.request('subscribe', { after: cursor });
    const stream = await TestStream.open(events, { headers: { 'last-event-id': cursor } });
    const page = await call('GET', `${events}?after=${cursor}`);

    expect(subscribed.data).toEqual({ cursor: head, resync_required: true });
    expect((await stream.findEvent('resync_required')).data).toEqual({ cursor: head, resync_required: true });
    expect(page.body).toEqual({ events: [], cursor: head, has_more: false, resync_required: true });
    // With the history it goes on without a gap.
    const history = await socket.request('history');
    expect(history.data.cursor).toBe(head);
    expect((await socket.request('subscribe', { after: history.data.cursor })).data).toEqual({
      cursor: head,
      resync_required: false,
    });
    await socket.request('event', { event_type: 'custom:two' });
    const two = await socket.findEvent('custom:two');
    expect((await stream.findEvent('custom:two')).data).toEqual(two.data);
    expect(socket.events).toEqual([two.data]);
  },
);

test.each([
  'nonsense',
  ':',
  'epoch:',
  'epoch:-1',
  'epoch:01',
  'epoch:1e3',
  'epoch:99999999999999999',
  '../..:1',
])('the cursor %j is INVALID_CURSOR, on every transport', async (cursor) => {
  const { url, id, socket } = await startWithEvents();
  const events = `${url}/api/sessions/${id}/events`;
  const query = `${events}?after=${encodeURIComponent(cursor)}`;
  const invalid = { status: 400, body: { code: 'INVALID_CURSOR', status: 400 } };

  const error = await socket.request('subscribe', { after: cursor });
  expect(error).toMatchObject({ type: 'error', data: { code: 'INVALID_CURSOR' } });
  expect(await call('GET', query)).toMatchObject(invalid);
  expect(await call('GET', query, undefined, { accept: 'text/event-stream' })).toMatchObject(invalid);
  expect(
    await call('GET', events, undefined, { accept: 'text/event-stream', 'last-event-id': cursor }),
  ).toMatchObject(invalid);
  expect((await socket.request('ping')).type).toBe('pong');
});
