/** SQLite answers nobody while a statement runs, so what is long is done in slices. */
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { message, newSession } from '../../../../tests/contracts/storage/fixtures.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';

const ROOM = { maxSessions: 10 };
const later = () => Date.now() + 60_000;

test.each([
  ['many messages', 3000, 10],
  ['large messages', 12, 400_000],
])('others have their turn while %s are copied into a fork', async (_what, count, size) => {
  const storage = await openSqliteStorage({ path: ':memory:', synchronous: 'normal' });
  onTestFinished(() => storage.close());
  const parent = newSession();
  await storage.transfers.begin(parent, parent.epoch, later());
  const messages = Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    acceptedSeq: index + 1,
    message: message('x'.repeat(size)),
  }));
  await storage.transfers.add(parent, messages, later());
  await storage.transfers.complete(parent, count, ROOM);
  const point = await storage.transfers.forkPoint(parent, null);
  if (typeof point === 'string') throw new Error(point);
  const fork = newSession();
  let isDone = false;

  const forking = storage.transfers.fork(parent, point, fork, ROOM).finally(() => {
    isDone = true;
  });
  let turns = 0;
  while (!isDone) {
    await setImmediate();
    if (!isDone) turns++;
  }

  expect(await forking).toBe('created');
  expect(turns).toBeGreaterThanOrEqual(4);
  expect((await storage.readMessages(fork, { limit: 1 }))?.messages).toHaveLength(1);
});
