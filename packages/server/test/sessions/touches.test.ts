import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Touches } from '../../src/sessions/touches.ts';
import { openLog } from './open-log.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

async function openTouches() {
  const { storage, key, newSession } = await openLog();
  const failures: unknown[] = [];
  const touches = new Touches(storage, (stage, error) => failures.push([stage, error]));
  const written = vi.spyOn(storage, 'touchSessions');
  const touchedAt = async (session = key) => (await storage.getSession(session))?.lastInteractionAt;
  return { storage, key, newSession, touches, failures, written, touchedAt };
}

test('touches are written together after a while', async () => {
  const { key, newSession, touches, written, touchedAt } = await openTouches();
  const other = await newSession();
  touches.touch(key, 5000);
  touches.touch(other, 6000);
  touches.touch(key, 7000);

  await vi.advanceTimersByTimeAsync(1000);

  expect(written).toHaveBeenCalledOnce();
  expect([await touchedAt(), await touchedAt(other)]).toEqual([7000, 6000]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a touch that could not be written is tried again by itself', async () => {
  const { key, touches, failures, written, touchedAt } = await openTouches();
  const error = new Error('busy');
  written.mockRejectedValueOnce(error);
  touches.touch(key, 5000);

  expect(await touches.flush()).toBe(false);
  expect(failures).toEqual([['touch sessions', error]]);
  await vi.advanceTimersByTimeAsync(1000);

  expect(await touchedAt()).toBe(5000);
  expect(await touches.flush()).toBe(true);
  expect(written).toHaveBeenCalledTimes(2);
});

test('who flushes during a write waits for it, and for what was touched since', async () => {
  const { storage, key, newSession, touches, written, touchedAt } = await openTouches();
  const other = await newSession();
  const writing = Promise.withResolvers<void>();
  written.mockImplementationOnce(() => writing.promise);
  touches.touch(key, 5000);
  const first = touches.flush();
  await expect.poll(() => written.mock.calls).toHaveLength(1);
  touches.touch(other, 6000);
  const rest = [touches.flush(), touches.flush()];
  const row = await storage.getSession(key);

  // What is being written counts already.
  expect(row && touches.apply(row).lastInteractionAt).toBe(5000);
  writing.resolve();
  expect(await Promise.all([first, ...rest])).toEqual([true, true, true]);
  expect(await touchedAt(other)).toBe(6000);
  expect(written.mock.calls.map(([batch]) => batch.length)).toEqual([1, 1]);
});

test('a session touched again while its touch is written is written again', async () => {
  const { key, touches, written, touchedAt } = await openTouches();
  const writing = Promise.withResolvers<void>();
  written.mockImplementationOnce(() => writing.promise);
  touches.touch(key, 5000);
  const first = touches.flush();
  await expect.poll(() => written.mock.calls).toHaveLength(1);
  touches.touch(key, 6000);
  writing.resolve();
  await first;

  await touches.flush();

  expect(await touchedAt()).toBe(6000);
});

test('once stopped it writes what is pending, and tries no more', async () => {
  const { key, touches, failures, written } = await openTouches();
  written.mockRejectedValueOnce(new Error('closed'));
  touches.touch(key, 5000);

  await touches.stop();
  touches.touch(key, 6000);

  expect(failures).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});
