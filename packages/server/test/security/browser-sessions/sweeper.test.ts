import { expect, it, onTestFinished, vi } from 'vitest';
import { Sweeper } from '../../../src/security/browser-sessions/sweeper.ts';

function setUp(prune: (now: number, limit: number) => Promise<boolean>) {
  const report = vi.fn();
  const storage = { prune: vi.fn(prune) };
  const sweeper = new Sweeper({ storage, report, now: () => 5000 });
  onTestFinished(() => sweeper.stop());
  return { storage, report, sweeper };
}

it('removes at its start what has expired, slice after slice', async () => {
  let slices = 3;
  const { storage, sweeper } = setUp(async () => --slices > 0);

  await sweeper.sweep();

  expect(storage.prune.mock.calls).toEqual([
    [5000, 500],
    [5000, 500],
    [5000, 500],
  ]);
});

it('reports a failure, and tries again the next time', async () => {
  let fails = true;
  const { storage, report, sweeper } = setUp(async () => {
    if (fails) throw new Error('the disk is gone');
    return false;
  });
  await sweeper.sweep();
  fails = false;

  await sweeper.sweep();

  expect(report).toHaveBeenCalledExactlyOnceWith('removing browser sessions', expect.any(Error));
  expect(storage.prune).toHaveBeenCalledTimes(2);
});

it('stops after the slice that is under way', async () => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const { storage, sweeper } = setUp(() => promise);

  const stopped = sweeper.stop();
  resolve(true);
  await stopped;

  expect(storage.prune).toHaveBeenCalledOnce();
});
