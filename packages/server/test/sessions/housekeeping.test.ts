import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  appended,
  event,
  finishRun,
  OWNER,
  queueRun,
  readLog,
  said,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { Housekeeping } from '../../src/sessions/housekeeping.ts';
import { SteadyClock } from '../../src/sessions/steady-clock.ts';
import type { IdempotencyRecord, SessionKey, Storage } from '../../src/storage/types.ts';
import { openLog, upTo } from './open-log.ts';

const COMPACTION_MS = 60_000;
const RETENTION_MS = 600_000;
const DAY_MS = 86_400_000;

beforeEach(
  () =>
    void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'], now: 10 ** 12 }),
);
afterEach(() => void vi.useRealTimers());

async function open(retentionMs = RETENTION_MS) {
  const failures: unknown[] = [];
  const opened = await openLog({
    onCommit: (_appends, events, streamed) => housekeeping.noticeEvents(events, streamed),
  });
  const { storage, key, log } = opened;
  const housekeeping = new Housekeeping({
    storage,
    clock: new SteadyClock(),
    compactionMs: COMPACTION_MS,
    retentionMs,
    report: (stage, error) => failures.push([stage, error]),
  });
  onTestFinished(() => housekeeping.stop());
  return {
    ...opened,
    housekeeping,
    failures,
    publish: (createdAt = Date.now()) =>
      log.append({ session: key, events: [event('custom:note', { createdAt })] }),
    /** Starts, and does what is due at the start. */
    start: async () => {
      housekeeping.start();
      await vi.advanceTimersByTimeAsync(0);
    },
    count: async () => (await readLog(storage, key)).length,
  };
}

/** A run that says something in two deltas. */
async function speak(
  { log, storage, key }: Awaited<ReturnType<typeof open>>,
  createdAt = Date.now(),
): Promise<void> {
  const runId = await startedRun(storage, key);
  const delta = event('text_delta', { runId, createdAt, payload: '{"message_id":"m","text":"x"}' });
  await log.append({
    session: key,
    events: [event('message_started', { runId, createdAt }), delta, delta, said('xx', { runId, createdAt })],
    writes: [
      { kind: 'open_message', runId, eventIndex: 0 },
      { kind: 'insert_message', eventIndex: 3, streamed: true },
      { kind: 'open_message', runId, eventIndex: null },
      finishRun(runId),
    ],
  });
}

async function deltas(storage: Storage, key: SessionKey): Promise<number> {
  return (await readLog(storage, key)).filter(({ eventType }) => eventType === 'text_delta').length;
}

test('when nothing is there, nothing waits', async () => {
  const { start } = await open();
  await start();
  // The answers that a process before may have kept.
  await vi.advanceTimersByTimeAsync(DAY_MS + 1);
  expect(vi.getTimerCount()).toBe(0);
});

test('deltas go when their message has been complete for long enough, and one timer waits for it', async () => {
  const opened = await open(0);
  const { storage, key, start } = opened;
  await start();
  await speak(opened);
  expect(vi.getTimerCount()).toBe(1);

  await vi.advanceTimersByTimeAsync(COMPACTION_MS);
  expect(await deltas(storage, key)).toBe(2);
  await vi.advanceTimersByTimeAsync(1);

  await expect.poll(() => deltas(storage, key)).toBe(0);
  expect((await readLog(storage, key)).map(({ eventType }) => eventType)).toEqual([
    'run_queued',
    'run_started',
    'message_started',
    'message_completed',
  ]);
});

test('events go when they are old enough, one after the other', async () => {
  const { publish, start, count } = await open();
  await start();
  await publish();
  await vi.advanceTimersByTimeAsync(RETENTION_MS / 2);
  await publish();

  await vi.advanceTimersByTimeAsync(RETENTION_MS / 2);
  expect(await count()).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(await count()).toBe(1);
  await vi.advanceTimersByTimeAsync(RETENTION_MS / 2);

  expect(await count()).toBe(0);
});

test('with a retention of 0 events stay', async () => {
  const { storage, publish, start, count } = await open(0);
  const prune = vi.spyOn(storage, 'pruneEvents');
  await publish(1);
  await start();
  await vi.advanceTimersByTimeAsync(10 * RETENTION_MS);
  expect(await count()).toBe(1);
  expect(prune).not.toHaveBeenCalled();
});

test('what became due while no process was there goes after the start, in slices', async () => {
  const { storage, key, log, housekeeping, count } = await open();
  await log.append({ session: key, events: upTo(4500).map(() => event('custom:old', { createdAt: 1 })) });
  const slices: number[] = [];
  const prune = storage.pruneEvents.bind(storage);
  vi.spyOn(storage, 'pruneEvents').mockImplementation(async (before, limit) => {
    const more = await prune(before, limit);
    slices.push(await count());
    // The event loop is free before the next one.
    setImmediate(() => slices.push(-1));
    return more;
  });

  housekeeping.start();
  await vi.advanceTimersByTimeAsync(0);

  await expect.poll(() => slices.slice(0, 5)).toEqual([2500, -1, 500, -1, 0]);
});

test('what fails is reported, and tried again', async () => {
  const { storage, publish, start, count, failures } = await open();
  const error = new Error('busy');
  vi.spyOn(storage, 'pruneEvents').mockRejectedValueOnce(error);
  await publish(1);
  await start();
  expect(failures).toEqual([['prune events', error]]);
  expect(await count()).toBe(1);

  await vi.advanceTimersByTimeAsync(5001);

  await expect.poll(count).toBe(0);
  expect(failures).toHaveLength(1);
});

test('events that wait for the end of a run are not looked at again and again, and go soon after it', async () => {
  const { storage, key, publish, start, count, housekeeping } = await open();
  const runId = await queueRun(storage, key);
  await publish(1);
  const prune = vi.spyOn(storage, 'pruneEvents');
  await start();
  await vi.advanceTimersByTimeAsync(RETENTION_MS);
  expect(await count()).toBe(2);
  expect(prune.mock.calls.length).toBeLessThan(15);

  await appended(storage, key, { writes: [finishRun(runId, { from: ['queued'] })] });
  housekeeping.noticeRunEnd();
  await vi.advanceTimersByTimeAsync(60_001);

  await expect.poll(count).toBe(0);
});

test('many messages that end in a row are compacted together', async () => {
  const opened = await open(0);
  const { storage, key, start } = opened;
  const compact = vi.spyOn(storage, 'compactEvents');
  await start();
  for (let n = 0; n < 20; n++) {
    await speak(opened);
    await vi.advanceTimersByTimeAsync(100);
  }
  compact.mockClear();

  await vi.advanceTimersByTimeAsync(COMPACTION_MS + 1000);

  await expect.poll(() => deltas(storage, key)).toBe(0);
  expect(compact.mock.calls.length).toBeLessThan(6);
});

test('an answer is kept for a day, and goes within the next', async () => {
  const { storage, start, housekeeping } = await open();
  const answer = (createdAt: number): IdempotencyRecord => ({
    ...OWNER,
    idempotencyKey: `key ${createdAt}`,
    bodyHash: 'hash',
    response: '{}',
    createdAt,
  });
  const keep = async (record: IdempotencyRecord) => {
    const session = { ...OWNER, sessionId: record.idempotencyKey, epoch: 'epoch-1' };
    const rest = { name: null, metadata: {}, createdAt: 1, engine: null, events: [] };
    await storage.createSession({ ...session, ...rest }, 100, record);
  };
  const kept = async (record: IdempotencyRecord) =>
    (await storage.getIdempotency(OWNER, record.idempotencyKey)) !== null;
  const [old, first, second] = [
    answer(Date.now() - DAY_MS - 1),
    answer(Date.now()),
    answer(Date.now() + 1000),
  ];
  await keep(old);
  await keep(first);
  await start();
  await vi.advanceTimersByTimeAsync(1000);
  await keep(second);
  housekeeping.noticeAnswer();

  await vi.advanceTimersByTimeAsync(DAY_MS - 1000);
  expect(await Promise.all([old, first, second].map(kept))).toEqual([false, true, true]);
  await vi.advanceTimersByTimeAsync(DAY_MS);

  await expect.poll(() => Promise.all([first, second].map(kept))).toEqual([false, false]);
});

test('once stopped it does nothing more', async () => {
  const { storage, publish, housekeeping, count } = await open();
  await publish(1);
  housekeeping.start();
  await housekeeping.stop();
  housekeeping.noticeEvents(1, 1);
  housekeeping.noticeAnswer();
  await vi.advanceTimersByTimeAsync(DAY_MS);
  expect(vi.getTimerCount()).toBe(0);
  expect(await count()).toBe(1);
  expect(await storage.nextPrune()).toBe(1);
});

test('what callers have used goes after 400 days, day by day, and one timer waits for it', async () => {
  const { storage, key, start, housekeeping } = await open(0);
  const spend = async (steps: number) => {
    const usage = { input_tokens: steps, output_tokens: 0, total_tokens: steps };
    const runId = await startedRun(storage, key);
    const end = { ...finishRun(runId), usage, steps, at: Date.now() };
    await appended(storage, key, { writes: [end] });
    housekeeping.noticeRunEnd();
  };
  const known = async (days: readonly string[]) => {
    const found = await Promise.all(days.map((day) => storage.usageOn(OWNER, day)));
    return found.map((use) => use?.steps ?? 0);
  };
  const days = [new Date(), new Date(Date.now() + DAY_MS)].map((date) => date.toISOString().slice(0, 10));
  await start();
  await spend(1);
  await vi.advanceTimersByTimeAsync(DAY_MS);
  await spend(2);
  expect(vi.getTimerCount()).toBe(1);

  await vi.advanceTimersByTimeAsync(399 * DAY_MS);
  expect(await known(days)).toEqual([1, 2]);
  await vi.advanceTimersByTimeAsync(DAY_MS);
  await expect.poll(() => known(days)).toEqual([0, 2]);
  await vi.advanceTimersByTimeAsync(DAY_MS);
  await expect.poll(() => known(days)).toEqual([0, 0]);
  expect(vi.getTimerCount()).toBe(0);
});
