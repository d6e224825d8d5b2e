import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { event } from '../../../../tests/contracts/storage/fixtures.ts';
import { Expiry } from '../../src/sessions/expiry.ts';
import { SteadyClock } from '../../src/sessions/steady-clock.ts';
import { Touches } from '../../src/sessions/touches.ts';
import type { SessionKey } from '../../src/storage/types.ts';
import { openLog, upTo } from './open-log.ts';

const TIMEOUT_MS = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** An expiry that has started, with one session that is due: those of the helper were made long ago. */
async function openExpiry() {
  const { storage, log, key, newSession } = await openLog();
  const touches = new Touches(storage, () => {});
  const expired: SessionKey[] = [];
  const failures: unknown[] = [];
  const expiry = new Expiry({
    storage,
    clock: new SteadyClock(),
    timeoutMs: TIMEOUT_MS,
    flushTouches: () => touches.flush(),
    onExpired: (session) => expired.push(session),
    report: (_, error) => failures.push(error),
  });
  onTestFinished(() => expiry.stop());
  return { storage, log, key, newSession, touches, expired, failures, expiry };
}

test('a session whose touch could not be written is not expired', async () => {
  const { storage, key, newSession, touches, expired, expiry } = await openExpiry();
  const unused = await newSession();
  vi.spyOn(storage, 'touchSessions').mockRejectedValueOnce(new Error('busy'));
  touches.touch(key);

  await expiry.start();
  expect(expired).toEqual([]);
  await vi.advanceTimersByTimeAsync(6000);

  expect(expired).toEqual([unused]);
  expect(await storage.getSession(key)).not.toBeNull();
});

test('many sessions that are due together leave the event loop free, and a touch in between counts', async () => {
  const { storage, key, newSession, touches, expired, expiry } = await openExpiry();
  const keys = [key, ...(await Promise.all(upTo(249).map(newSession)))];
  const firstTurn = new Promise((resolve) => setImmediate(resolve));
  const started = expiry.start();

  await firstTurn;
  expect(expired).toHaveLength(100);
  const left = keys.filter(({ sessionId }) => !expired.some((one) => one.sessionId === sessionId));
  const touched = left[149] as SessionKey;
  touches.touch(touched);
  await started;

  expect(expired).toHaveLength(249);
  expect(await storage.getSession(touched)).not.toBeNull();
});

test('a session deleted while a purge comes to its end is purged, too', async () => {
  const { storage, log, newSession, expiry } = await openExpiry();
  await expiry.start();
  await expiry.purged();
  const late = await newSession();
  await log.append({ session: late, events: [event()] });
  const purge = storage.purge.bind(storage);
  vi.spyOn(storage, 'purge').mockImplementationOnce(async (limit) => {
    const more = await purge(limit);
    await storage.deleteSession(late);
    expiry.purge();
    return more;
  });

  expiry.purge();
  await expiry.purged();

  // There is nothing left to remove.
  expect(await purge(1)).toBe(false);
});

test('a purge that failed is done again by itself', async () => {
  const { storage, log, newSession, failures, expiry } = await openExpiry();
  await expiry.start();
  await expiry.purged();
  const gone = await newSession();
  await log.append({ session: gone, events: [event()] });
  await storage.deleteSession(gone);
  const purge = storage.purge.bind(storage);
  vi.spyOn(storage, 'purge').mockRejectedValueOnce(new Error('busy'));

  expiry.purge();
  await expiry.purged();
  expect(failures).toEqual([new Error('busy')]);
  await vi.advanceTimersByTimeAsync(6000);
  await expiry.purged();

  // There is nothing left to remove.
  expect(await purge(1)).toBe(false);
});
