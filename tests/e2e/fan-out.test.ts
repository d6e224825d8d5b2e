/** Several clients of one session. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { say, testEngine } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

test('two clients of one session see the same events in the same order', async () => {
  const apiFactory = testEngine(async (context) => {
    say(context, `m_${context.runId}`, ...'the quick brown fox jumps'.split(/(?<= )/));
    return null;
  });
  const { wsUrl, createSession } = await startApp({ apiFactory });
  const id = await createSession({ engine_type: 'TestEngine' });
  const [one, two] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(id))];
  await Promise.all([one.request('subscribe'), two.request('subscribe')]);

  // Both say things at the same time.
  const results = [];
  for (let n = 0; n < 10; n++) {
    results.push(one.run('act', { n }), two.run('act', { n }));
    one.send({ type: 'event', data: { event_type: 'custom:from_one', payload: { n } } });
    two.send({ type: 'event', data: { event_type: 'custom:from_two', payload: { n } } });
  }
  await Promise.all(results);
  await Promise.all([one, two].map((socket) => socket.request('event', { event_type: 'custom:end' })));
  const ends = (socket: TestSocket) => () =>
    socket.events.filter(({ event_type }) => event_type === 'custom:end').length === 2;
  await Promise.all([one, two].map((socket) => socket.find(ends(socket))));

  expect(one.events).toEqual(two.events);
  expect(one.events.filter(({ event_type }) => event_type === 'run_finished')).toHaveLength(20);
  expect(one.events.filter(({ event_type }) => event_type.startsWith('custom:from'))).toHaveLength(20);
});

test('clients that subscribe at random times each see a log without a gap', async () => {
  const { url, wsUrl, createSession } = await startApp({ config: { maxSessions: 1000 } });
  const EVENTS = 120;
  const client = fc.record({
    // How many events were published when it comes.
    joinsAt: fc.integer({ min: 0, max: EVENTS - 1 }),
    // Where it begins: now, or an event that it knows.
    after: fc.option(fc.nat({ max: EVENTS })),
    transport: fc.constantFrom('socket' as const, 'stream' as const),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(client, { minLength: 1, maxLength: 6 }), async (clients) => {
      const id = await createSession();
      const publisher = await TestSocket.open(wsUrl(id));
      const first = (await publisher.request('event', { event_type: 'custom:n', payload: { n: 0 } })).data
        .cursor as string;
      const [epoch, seq] = first.split(':') as [string, string];
      const readers: Promise<{ event_type: string; seq: number }[]>[] = [];
      for (let n = 1; n <= EVENTS; n++) {
        publisher.send({ type: 'event', data: { event_type: n === EVENTS ? 'custom:end' : 'custom:n' } });
        for (const { joinsAt, after, transport } of clients) {
          if (joinsAt !== n - 1) continue;
          // An event that is not there yet would be a cursor beyond the head.
          const cursor = after === null ? undefined : `${epoch}:${Math.min(after, Number(seq))}`;
          readers.push(transport === 'socket' ? readSocket(id, cursor) : readStream(id, cursor));
        }
        // Let the others have their turn.
        if (n % 10 === 0) await publisher.request('ping');
      }
      for (const events of await Promise.all(readers)) {
        const seqs = events.map((event) => event.seq);
        expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] as number) + i));
        if (events.length > 0) expect(events.at(-1)?.event_type).toBe('custom:end');
      }
      await publisher.close();
    }),
    { numRuns: 15 },
  );

  async function readSocket(id: string, after: string | undefined) {
    const socket = await TestSocket.open(wsUrl(id));
    const { data } = await socket.request('subscribe', after === undefined ? {} : { after });
    // When the end was there already, what follows it is nothing.
    await Promise.race([socket.findEvent('custom:end'), nothingAfter(socket, data.cursor)]);
    await socket.close();
    return socket.events;
  }

  async function nothingAfter(socket: TestSocket, cursor: string) {
    const { data } = await socket.request('history');
    if (data.cursor !== cursor) await socket.findEvent('custom:end');
  }

  async function readStream(id: string, after: string | undefined) {
    const query = after === undefined ? '' : `?after=${after}`;
    const stream = await TestStream.open(`${url}/api/sessions/${id}/events${query}`);
    const socket = await TestSocket.open(wsUrl(id));
    await expect.poll(() => stream.lastEventId).toBeDefined();
    const { data } = await socket.request('history');
    if (data.cursor !== stream.lastEventId) await stream.findEvent('custom:end');
    await socket.close();
    await stream.close();
    return stream.events.map(({ data }) => data as { event_type: string; seq: number });
  }
});

test('event_types limits what a subscription shows', async () => {
  const { wsUrl, createSession } = await startApp();
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  await socket.request('subscribe', { event_types: ['custom:b', 'run_finished'] });

  for (const name of ['a', 'b', 'a']) await socket.request('event', { event_type: `custom:${name}` });
  const result = await socket.run('prompt', { prompt: 'Hi' }, { stream: false });

  expect(result.status).toBe('completed');
  expect(socket.events.map(({ event_type }) => event_type)).toEqual(['custom:b', 'run_finished']);
});

test('after unsubscribe nothing comes, except the results that are owed', async () => {
  const { wsUrl, createSession } = await startApp();
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const [socket, other] = [await TestSocket.open(wsUrl(id)), await TestSocket.open(wsUrl(id))];
  await socket.request('subscribe');
  expect((await socket.request('unsubscribe')).type).toBe('unsubscribed');

  const result = await socket.run('prompt', { prompt: 'Hi' }, { stream: false });
  await other.request('event', { event_type: 'custom:unseen' });
  await socket.request('ping');

  expect(result.status).toBe('completed');
  expect(socket.events).toEqual([]);
});
