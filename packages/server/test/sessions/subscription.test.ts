import { ApiError } from '@llmgine/protocol';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { event, said, startedRun } from '../../../../tests/contracts/storage/fixtures.ts';
import type { Cluster } from '../../src/cluster/types.ts';
import { EventsPruned } from '../../src/sessions/subscription.ts';
import type { LogEvent } from '../../src/storage/log-event.ts';
import { openLog, recordingSink, seqsOf, upTo } from './open-log.ts';

/** A cluster that loses what it is told to lose, as a cluster may. */
async function openLossyLog() {
  const losing = { now: false };
  const lossy = (cluster: Cluster): Cluster => ({
    ...cluster,
    publish: (sessionId, events) => {
      if (!losing.now) cluster.publish(sessionId, events);
    },
  });
  const open = await openLog({ wrap: lossy });
  const publish = (count = 1) =>
    open.log.append({ session: open.key, events: upTo(count).map(() => event()) });
  return { ...open, losing, publish };
}

test('delivers nothing before it is started, and then what came meanwhile', async () => {
  const { log, key, publish } = await openLossyLog();
  await publish(2);
  const sink = recordingSink();
  const { subscription, cursor } = await log.subscribe(key, { after: undefined, sink });
  await publish(2);
  expect(cursor).toBe('epoch-1:2');
  expect(sink.events).toEqual([]);
  subscription.start();
  await publish();
  await expect.poll(() => seqsOf(sink.events)).toEqual([3, 4, 5]);
});

test('replays what came after its cursor, over many pages, and joins the live path', async () => {
  const { log, key, publish } = await openLossyLog();
  await publish(1000);
  const sink = recordingSink();
  const { subscription } = await log.subscribe(key, { after: 'epoch-1:10', sink });
  subscription.start();
  await publish(3);
  await expect.poll(() => sink.events.length).toBe(993);
  expect(seqsOf(sink.events)).toEqual(upTo(1003).slice(10));
  expect(subscription.live).toBe(true);
});

test('a long replay leaves the event loop free between pages, and can be closed there', async () => {
  const { log, key, publish } = await openLossyLog();
  await publish(2000);
  const [whole, closed] = [recordingSink(), recordingSink()];
  const firstTurn = new Promise((resolve) => setImmediate(resolve));
  log.follow(key, 0, whole).start();
  const subscription = log.follow(key, 0, closed);
  subscription.start();

  await firstTurn;
  const { length } = closed.events;
  subscription.close();

  expect([whole.events.length, length]).toEqual([256, 256]);
  await expect.poll(() => seqsOf(whole.events)).toEqual(upTo(2000));
  expect(closed.events).toHaveLength(length);
});

test('a gap in what it hears is read from the log', async () => {
  const { log, key, publish, losing, storage } = await openLossyLog();
  const sink = recordingSink();
  log.follow(key, 0, sink).start();
  await publish();
  await expect.poll(() => seqsOf(sink.events)).toEqual([1]);
  losing.now = true;
  await publish(3);
  expect(seqsOf(sink.events)).toEqual([1]);
  losing.now = false;
  const reads = vi.spyOn(storage, 'readEvents');
  await publish();
  await expect.poll(() => seqsOf(sink.events)).toEqual([1, 2, 3, 4, 5]);
  expect(reads).toHaveBeenCalled();
});

test('who keeps up is given what is published, and the log is not read', async () => {
  const { log, key, publish, storage } = await openLossyLog();
  const sink = recordingSink();
  const subscription = log.follow(key, 0, sink);
  subscription.start();
  await expect.poll(() => subscription.live).toBe(true);
  const reads = vi.spyOn(storage, 'readEvents');
  for (let n = 0; n < 10; n++) await publish(3);
  expect(seqsOf(sink.events)).toEqual(upTo(30));
  expect(reads).not.toHaveBeenCalled();
});

test('a full sink is left alone, and goes on where it stopped', async () => {
  const { log, key, publish } = await openLossyLog();
  const events: LogEvent[] = [];
  let room = 3;
  const subscription = log.follow(key, 0, {
    write: (event) => {
      events.push(event);
      return --room > 0;
    },
    failed: () => {},
  });
  subscription.start();
  await publish(10);
  await expect.poll(() => seqsOf(events)).toEqual([1, 2, 3]);
  await publish(10);
  expect(seqsOf(events)).toEqual([1, 2, 3]);
  room = 4;
  subscription.resume();
  await expect.poll(() => seqsOf(events)).toEqual(upTo(7));
  room = Number.POSITIVE_INFINITY;
  subscription.resume();
  // Once is enough.
  subscription.resume();
  await publish(5);
  await expect.poll(() => seqsOf(events)).toEqual(upTo(25));
});

test('what a slow sink has no room for is hardly read', async () => {
  const { log, key, storage } = await openLossyLog();
  const payload = JSON.stringify({ text: 'x'.repeat(16_000) });
  await log.append({ session: key, events: upTo(200).map(() => event('custom:big', { payload })) });
  const { readEvents } = storage;
  let read = 0;
  vi.spyOn(storage, 'readEvents').mockImplementation(async (...parameters) => {
    const page = await readEvents.apply(storage, parameters);
    read += page?.events.length ?? 0;
    return page;
  });
  const seen: number[] = [];
  let room = 65_536;
  const subscription = log.follow(key, 0, {
    write: (event) => {
      seen.push(event.seq);
      room -= event.payload.length;
      if (room > 0) return true;
      room = 65_536;
      setImmediate(() => subscription.resume());
      return false;
    },
    failed: () => {},
  });
  subscription.start();

  await expect.poll(() => seen).toEqual(upTo(200));
  expect(read).toBeLessThan(2 * seen.length);
});

test('whatever is lost, full or late, each event is delivered once, in order', async () => {
  const { log, storage, newSession, losing } = await openLossyLog();
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 400 }), lost: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ room: fc.integer({ min: 0, max: 300 }) }) },
    { weight: 1, arbitrary: fc.constant('turn' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const key = await newSession();
      const publish = (count: number) => log.append({ session: key, events: upTo(count).map(() => event()) });
      const events: LogEvent[] = [];
      let room = 5;
      const sink = {
        write: (event: LogEvent) => {
          events.push(event);
          return --room > 0;
        },
        failed: (error: unknown) => {
          throw error;
        },
      };
      const subscription = log.follow(key, 0, sink);
      subscription.start();
      let total = 0;
      for (const step of steps) {
        if (step === 'turn') await new Promise((resolve) => setImmediate(resolve));
        else if ('room' in step) {
          room = step.room;
          subscription.resume();
        } else {
          losing.now = step.lost;
          total += step.publish;
          await publish(step.publish);
        }
      }
      losing.now = false;
      room = Number.POSITIVE_INFINITY;
      subscription.resume();
      await publish(1);
      await expect.poll(() => events.length, { interval: 1 }).toBe(total + 1);
      expect(seqsOf(events)).toEqual(upTo(total + 1));
      subscription.close();
      await storage.deleteSession(key);
    }),
    { numRuns: 40 },
  );
});

test('a closed one delivers nothing more, also while it reads', async () => {
  const { log, key, publish } = await openLossyLog();
  await publish(5);
  const sink = recordingSink();
  const subscription = log.follow(key, 0, sink);
  subscription.start();
  subscription.close();
  subscription.resume();
  await publish(5);
  expect([sink.events, sink.failures, subscription.closed]).toEqual([[], [], true]);
});

test('a sink may close it in the middle', async () => {
  const { log, key, publish } = await openLossyLog();
  await publish(5);
  const seen: number[] = [];
  const subscription = log.follow(key, 0, {
    write: ({ seq }) => {
      seen.push(seq);
      if (seq === 2) subscription.close();
      return true;
    },
    failed: () => {},
  });
  subscription.start();
  await publish(5);
  expect(seen).toEqual([1, 2]);
});

test('a session that is gone, or a storage that fails, is told once', async () => {
  const { log, key, publish, storage, newSession } = await openLossyLog();
  const other = await newSession();
  const [gone, broken] = [recordingSink(), recordingSink()];
  await storage.deleteSession(key);
  log.follow(key, 0, gone).start();
  await expect.poll(() => gone.failures).toEqual([undefined]);

  const error = new ApiError('UNAVAILABLE');
  vi.spyOn(storage, 'readEvents').mockRejectedValueOnce(error);
  log.follow(other, 0, broken).start();
  await expect.poll(() => broken.failures).toEqual([error]);
  await publish();
  expect([gone.events, broken.events]).toEqual([[], []]);
});

test('what is committed while a page is on its way is read, although nothing else happens', async () => {
  const { log, key, storage, publish } = await openLossyLog();
  await publish();
  const reading = Promise.withResolvers<void>();
  const published = Promise.withResolvers<void>();
  const { readEvents } = storage;
  vi.spyOn(storage, 'readEvents').mockImplementationOnce(async (...parameters) => {
    const page = await readEvents.apply(storage, parameters);
    reading.resolve();
    await published.promise;
    return page;
  });
  const sink = recordingSink();
  log.follow(key, 1, sink).start();
  await reading.promise;

  await publish(2);
  published.resolve();

  await expect.poll(() => seqsOf(sink.events)).toEqual([2, 3]);
});

test('a gap of what was compacted is no gap, in a page and on the live path', async () => {
  const { log, key, storage, publish, losing } = await openLossyLog();
  await publish();
  const [paged, live] = [recordingSink(), recordingSink()];
  const following = log.follow(key, 1, live);
  following.start();
  await expect.poll(() => following.live).toBe(true);
  losing.now = true;
  const runId = await startedRun(storage, key);
  const delta = event('text_delta', { runId, payload: '{"message_id":"m","text":"x"}' });
  await log.append({
    session: key,
    events: [event('message_started', { runId }), delta, delta, said('xx', { runId })],
    writes: [
      { kind: 'open_message', runId, eventIndex: 0 },
      { kind: 'insert_message', eventIndex: 3, streamed: true },
      { kind: 'open_message', runId, eventIndex: null },
    ],
  });
  await storage.compactEvents(Number.MAX_SAFE_INTEGER, 100);

  log.follow(key, 1, paged).start();
  losing.now = false;
  await publish();

  const kept = [2, 3, 4, 7, 8];
  await expect.poll(() => seqsOf(live.events)).toEqual(kept);
  await expect.poll(() => seqsOf(paged.events)).toEqual(kept);
});

test('who is behind what was pruned is told, and nothing is skipped silently', async () => {
  const { log, key, storage } = await openLossyLog();
  await log.append({ session: key, events: upTo(5).map((n) => event('custom:n', { createdAt: n })) });
  const events: LogEvent[] = [];
  const failures: unknown[] = [];
  const sink = {
    write: (event: LogEvent) => events.push(event) < 2,
    failed: (error: unknown) => void failures.push(error),
  };
  const { subscription } = await log.subscribe(key, { after: 'epoch-1:0', sink });
  subscription.start();
  await expect.poll(() => seqsOf(events)).toEqual([1, 2]);

  await storage.pruneEvents(4, 100);
  subscription.resume();

  await expect.poll(() => failures).toEqual([new EventsPruned(3)]);
  expect(seqsOf(events)).toEqual([1, 2]);
  expect(subscription.closed).toBe(true);
});

test('who has seen the last event that was pruned goes on', async () => {
  const { log, key, storage, publish } = await openLossyLog();
  await log.append({ session: key, events: upTo(3).map((n) => event('custom:n', { createdAt: n })) });
  const [live, late] = [recordingSink(), recordingSink()];
  log.follow(key, 0, live).start();
  await expect.poll(() => live.events).toHaveLength(3);

  await storage.pruneEvents(4, 100);
  log.follow(key, 3, late).start();
  await publish();

  await expect.poll(() => [seqsOf(live.events), seqsOf(late.events)]).toEqual([[1, 2, 3, 4], [4]]);
  expect([live.failures, late.failures]).toEqual([[], []]);
});

test('subscribing to what is not there leaves nothing behind', async () => {
  const { log, key, cluster } = await openLossyLog();
  const left = vi.fn();
  vi.spyOn(cluster, 'subscribe').mockReturnValue(left);
  const sink = recordingSink();
  await expect(log.subscribe({ ...key, sessionId: 'none' }, { after: undefined, sink })).rejects.toThrow(
    expect.objectContaining({ code: 'SESSION_NOT_FOUND' }),
  );
  expect(left).toHaveBeenCalledOnce();
});

test('a sink that has room again while it is uncorked leads to one reader, not to several', async () => {
  const { log, key, storage, publish } = await openLossyLog();
  await publish(1000);
  let reading = 0;
  let most = 0;
  const read = storage.readEvents.bind(storage);
  vi.spyOn(storage, 'readEvents').mockImplementation(async (...args) => {
    most = Math.max(most, ++reading);
    const page = await read(...args);
    reading--;
    return page;
  });
  const sink = recordingSink();
  const { subscription } = await log.subscribe(key, {
    after: 'epoch-1:0',
    sink: {
      ...sink,
      // Full after each event, and empty as soon as it may write, as a fast socket is.
      write: (one) => {
        sink.events.push(one);
        return false;
      },
      uncork: () => subscription.resume(),
    },
  });
  subscription.start();
  await expect.poll(() => sink.events.length).toBe(1000);
  expect(seqsOf(sink.events)).toEqual(upTo(1000));
  expect(most).toBe(1);
});
