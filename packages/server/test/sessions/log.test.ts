import { ApiError } from '@llmgine/protocol';
import { expect, test, vi } from 'vitest';
import {
  createRun,
  event,
  newRun,
  readLog,
  said,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { PendingAppend } from '../../src/sessions/pending.ts';
import type { LogEvent } from '../../src/storage/log-event.ts';
import { type OpenLog, openLog, recordingSink, seqsOf, upTo } from './open-log.ts';

test('appends that wait together go into one transaction, whatever their sessions', async () => {
  const { log, commits, newSession } = await openLog();
  const keys = await Promise.all(upTo(5).map(newSession));
  const outcomes = await Promise.all(
    upTo(50).map((n) => log.append({ session: keys[n % 5] as (typeof keys)[0], events: [event()] })),
  );
  expect(commits).toEqual([upTo(50).map(() => 1)]);
  expect(outcomes.every(({ ok }) => ok)).toBe(true);
  const seqs = outcomes.map((outcome) => (outcome.ok ? outcome.firstSeq : 0));
  expect(seqs).toEqual(upTo(50).map((n) => Math.ceil(n / 5)));
});

test('what is refused is refused alone', async () => {
  const { log, key, commits } = await openLog();
  const unknown = { ...key, sessionId: 'nobody' };
  const run = newRun({ engineId: 'another' });
  const outcomes = await Promise.all([
    log.append({ session: key, events: [event()] }),
    log.append({ session: unknown, events: [event()] }),
    log.append({ session: key, events: [event()], fence: { runId: 'none', attempt: 1 } }),
    log.append({ session: key, events: [event()], writes: [createRun(run)] }),
    log.append({ session: key, events: [event()] }),
  ]);
  expect(commits).toHaveLength(1);
  expect(outcomes.map((outcome) => (outcome.ok ? outcome.firstSeq : outcome.reason))).toEqual([
    1,
    'session_not_found',
    'fenced',
    'engine_changed',
    2,
  ]);
});

test('durable before visible: nobody sees an event before its commit, and the reply precedes it', async () => {
  const { log, storage, cluster, key } = await openLog();
  const committing = Promise.withResolvers<void>();
  const order: string[] = [];
  const append = vi.mocked(storage.append).getMockImplementation() as typeof storage.append;
  vi.mocked(storage.append).mockImplementation(async (batch) => {
    const outcomes = await append(batch);
    order.push('committed');
    await committing.promise;
    return outcomes;
  });
  cluster.subscribe(key.sessionId, (events) => order.push(`visible ${seqsOf(events)}`));

  const done = log
    .append({ session: key, events: [event(), event()] }, () => order.push('replied'))
    .then(() => order.push('resolved'));
  await expect.poll(() => order).toEqual(['committed']);
  committing.resolve();
  await done;

  expect(order).toEqual(['committed', 'replied', 'visible 1,2', 'resolved']);
});

test('when the storage fails the append rejects and nothing is seen; the next one goes on without a gap', async () => {
  const { log, storage, cluster, key } = await openLog();
  const seen: number[] = [];
  cluster.subscribe(key.sessionId, (events) => seen.push(...seqsOf(events)));
  const replied = vi.fn();
  vi.mocked(storage.append).mockRejectedValueOnce(new ApiError('STORAGE_FULL'));

  const failed = [
    log.append({ session: key, events: [event()] }, replied),
    log.append({ session: key, events: [event()] }),
  ];
  for (const one of failed)
    await expect(one).rejects.toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }));
  const next = await log.append({ session: key, events: [event()] });

  expect(replied).not.toHaveBeenCalled();
  expect(next).toMatchObject({ ok: true, firstSeq: 1 });
  expect(seen).toEqual([1]);
});

test("a callback that throws is its caller's trouble alone", async () => {
  const { log, cluster, key } = await openLog();
  const seen: number[] = [];
  cluster.subscribe(key.sessionId, (events) => seen.push(...seqsOf(events)));
  const bug = new Error('bug');
  const [one, two] = await Promise.allSettled([
    log.append({ session: key, events: [event()] }, () => {
      throw bug;
    }),
    log.append({ session: key, events: [event()] }),
  ]);
  expect(one).toEqual({ status: 'rejected', reason: bug });
  expect(two).toMatchObject({ status: 'fulfilled', value: { ok: true, firstSeq: 2 } });
  expect(seen).toEqual([1, 2]);
});

test('an append that cannot be taken fails with its commit, and the log goes on', async () => {
  const { log, key } = await openLog();
  const bug = new Error('bug');
  const broken = new PendingAppend(key, {});
  vi.spyOn(broken, 'take').mockImplementation(() => {
    throw bug;
  });
  const settled = Promise.withResolvers<unknown>();
  broken.onSettled(settled.resolve);
  log.enqueue(broken, true);
  const beside = log.append({ session: key, events: [event()] });

  await expect(beside).rejects.toBe(bug);
  expect(await settled.promise).toBe(bug);
  expect(await log.append({ session: key, events: [event()] })).toMatchObject({ ok: true, firstSeq: 1 });
});

test('what is not urgent waits for company after a commit, and leaves with what is urgent', async () => {
  const { log, key, commits } = await openLog();
  await log.append({ session: key, events: [event()] });
  const waiting = new PendingAppend(key, {});
  waiting.addDelta('text_delta', 'r', 'm', 'one ', 1);
  log.enqueue(waiting, false);
  waiting.addDelta('text_delta', 'r', 'm', 'two', 2);

  await log.append({ session: key, events: [event()] });

  expect(commits).toEqual([[1], [1, 1]]);
  expect(waiting.open).toBe(false);
});

test('what is not urgent leaves by itself, too', async () => {
  const { log, key, commits } = await openLog();
  await log.append({ session: key, events: [event()] });
  const settled = Promise.withResolvers<unknown>();
  const waiting = new PendingAppend(key, {});
  waiting.add([event()]);
  waiting.onSettled(settled.resolve);
  log.enqueue(waiting, false);
  expect(await settled.promise).toMatchObject({ ok: true, firstSeq: 2 });
  expect(commits).toEqual([[1], [1]]);
});

test('an append during a commit goes into the next one', async () => {
  const { log, key, commits } = await openLog();
  const second = Promise.withResolvers<unknown>();
  await log.append({ session: key, events: [event()] }, () => {
    // The commit that this belongs to is not over yet.
    log.append({ session: key, events: [event()] }).then(second.resolve, second.reject);
  });
  expect(await second.promise).toMatchObject({ ok: true, firstSeq: 2 });
  expect(commits).toEqual([[1], [1]]);
});

test('a flood is committed in slices, in its order', async () => {
  const { log, key, commits, storage } = await openLog();
  const outcomes = await Promise.all(
    upTo(4500).map((n) =>
      log.append({ session: key, events: [event('custom:n', { payload: `{"n":${n}}` })] }),
    ),
  );
  expect(commits.map((appends) => appends.length)).toEqual([2000, 2000, 500]);
  expect(outcomes.map((outcome) => outcome.ok && outcome.firstSeq)).toEqual(upTo(4500));
  const payloads = (await readLog(storage, key)).map(({ payload }) => JSON.parse(payload).n);
  expect(payloads).toEqual(upTo(4500));
});

test('flushed resolves when everything enqueued is committed, and at once when there is nothing', async () => {
  const { log, key, storage, commits } = await openLog();
  await log.flushed();
  expect(commits).toEqual([]);
  await log.append({ session: key, events: [event()] });
  const waiting = new PendingAppend(key, {});
  waiting.add([event()]);
  log.enqueue(waiting, false);
  await log.flushed();
  expect(seqsOf(await readLog(storage, key))).toEqual([1, 2]);
});

test('a page says where it ends, whether there is more, and when its cursor names nothing', async () => {
  const { log, key } = await openLog();
  await log.append({ session: key, events: upTo(5).map(() => event()) });
  const first = await log.page(key, undefined, 2);
  expect([seqsOf(first.events), first.cursor, first.has_more]).toEqual([[1, 2], 'epoch-1:2', true]);
  const second = await log.page(key, first.cursor, 10);
  expect([seqsOf(second.events), second.cursor, second.has_more]).toEqual([[3, 4, 5], 'epoch-1:5', false]);
  expect(await log.page(key, second.cursor, 10)).toMatchObject({
    events: [],
    cursor: 'epoch-1:5',
    has_more: false,
    resync_required: false,
  });
  for (const cursor of ['epoch-1:6', 'epoch-2:1']) {
    expect(await log.page(key, cursor, 10)).toMatchObject({
      events: [],
      cursor: 'epoch-1:5',
      resync_required: true,
    });
  }
  await expect(log.page(key, 'nonsense', 10)).rejects.toThrow(
    expect.objectContaining({ code: 'INVALID_CURSOR' }),
  );
  await expect(log.page({ ...key, ownerId: 'other' }, undefined, 10)).rejects.toThrow(
    expect.objectContaining({ code: 'SESSION_NOT_FOUND' }),
  );
});

/** A run that has said something: message_started, two deltas, message_completed; eight events in all. */
async function streamedMessage({ log, storage, key }: OpenLog): Promise<LogEvent[]> {
  const runId = await startedRun(storage, key);
  const delta = event('text_delta', { runId, payload: '{"message_id":"m","text":"x"}' });
  const fence = { runId, attempt: 1 };
  await log.append({
    session: key,
    fence,
    events: [event('message_started', { runId }), delta, delta],
    writes: [{ kind: 'open_message', runId, eventIndex: 0 }],
  });
  await log.append({
    session: key,
    fence,
    events: [event('custom:before'), said('xx', { runId }), event('custom:after')],
    writes: [
      { kind: 'insert_message', eventIndex: 1, streamed: true },
      { kind: 'open_message', runId, eventIndex: null },
    ],
  });
  return [...(await readLog(storage, key))];
}

test('what is seen of a streamed message is what is stored: it says which deltas it replaces', async () => {
  const commits: number[] = [];
  const open = await openLog({ onCommit: (_appends, _events, streamed) => commits.push(streamed) });
  const seen: LogEvent[] = [];
  open.cluster.subscribe(open.key.sessionId, (events) => seen.push(...events));

  const stored = await streamedMessage(open);

  expect(seen.map(({ data }) => data)).toEqual(stored.slice(2).map(({ data }) => data));
  const completed = seen.find(({ eventType }) => eventType === 'message_completed');
  expect(JSON.parse(completed?.payload ?? '')).toMatchObject({ replaces: { from_seq: 4, to_seq: 6 } });
  expect(seen.filter(({ payload }) => payload.includes('replaces'))).toEqual([completed]);
  expect(commits).toEqual([0, 1]);
});

test('below what is kept, a cursor needs a resync; at it, it does not', async () => {
  const open = await openLog();
  const { log, storage, key } = open;
  await log.append({ session: key, events: upTo(5).map((n) => event('custom:n', { createdAt: n })) });
  await storage.pruneEvents(4, 100);

  const [below, at, none] = await Promise.all(
    ['epoch-1:2', 'epoch-1:3', undefined].map((after) => log.page(key, after, 10)),
  );
  const resume = (after: string) => log.subscribe(key, { after, sink: recordingSink() });

  expect(below).toMatchObject({ events: [], cursor: 'epoch-1:5', resync_required: true });
  expect([at?.resync_required, seqsOf(at?.events ?? [])]).toEqual([false, [4, 5]]);
  expect([none?.resync_required, seqsOf(none?.events ?? [])]).toEqual([false, [4, 5]]);
  expect(await resume('epoch-1:2')).toMatchObject({ resyncRequired: true, cursor: 'epoch-1:5' });
  expect(await resume('epoch-1:3')).toMatchObject({ resyncRequired: false, cursor: 'epoch-1:3' });
});

test('a page of a log of which nothing is left ends where one can go on', async () => {
  const { log, storage, key } = await openLog();
  await log.append({ session: key, events: [event('custom:old', { createdAt: 1 })] });
  await storage.pruneEvents(2, 100);

  const page = await log.page(key, undefined, 10);

  expect(page).toEqual({ events: [], cursor: 'epoch-1:1', has_more: false, resync_required: false });
  expect(await log.page(key, page.cursor, 10)).toEqual(page);
});

test('ids of events and keys of requests are two worlds', async () => {
  const { log, key } = await openLog();
  const publish = (id: object) => log.publish(key, { event_type: 'custom:x', payload: {}, ...id });
  const ids = [
    { event_id: 'a' },
    { idempotency_key: 'a' },
    { event_id: 'key:a' },
    { event_id: 'id:a' },
    { event_id: 'id:key:a' },
    { idempotency_key: 'key:a' },
  ];

  const first = await Promise.all(ids.map(publish));
  const again = await Promise.all(ids.map(publish));

  expect(new Set(first.map(({ cursor }) => cursor)).size).toBe(ids.length);
  expect(again).toEqual(first);
});
