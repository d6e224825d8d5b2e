import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { Expiry } from '../../src/sessions/expiry.ts';
import { Touches } from '../../src/sessions/touches.ts';
import type { SessionKey } from '../../src/storage/types.ts';
import { openLog } from './open-log.ts';

const TIMEOUT_MS = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** An expiry that has started, with one session that is due: those of the helper were made long ago. */
async function openExpiry() {
  const { storage, key, newSession } = await openLog();
  const touches = new Touches(storage, () => {});
  const expired: SessionKey[] = [];
  const expiry = new Expiry({
    storage,
    timeoutMs: TIMEOUT_MS,
    flushTouches: () => touches.flush(),
    onExpired: (session) => expired.push(session),
    report: (_, error) => {
      throw error;
    },
  });
  onTestFinished(() => expiry.stop());
  return { storage, key, newSession, touches, expired, expiry };
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
