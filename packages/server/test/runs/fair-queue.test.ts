import { expect, test } from 'vitest';
import { FairQueue } from '../../src/runs/fair-queue.ts';
import type { SessionKey } from '../../src/storage/types.ts';

const session = (ownerId: string, n: number | string): SessionKey => ({
  tenantId: 'default',
  ownerId,
  sessionId: `${ownerId}${n}`,
});
const takeAll = (queue: FairQueue) => {
  const taken: string[] = [];
  for (let key = queue.next(); key; key = queue.next()) taken.push(key.sessionId);
  return taken;
};

test('callers take turns, and a thousand sessions of one do not keep another waiting', () => {
  const queue = new FairQueue(() => 10_000);
  for (let n = 0; n < 1000; n++) queue.add(session('a', n));
  queue.add(session('b', 0));
  queue.add(session('b', 1));
  expect(takeAll(queue).slice(0, 6)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'a3']);
});

test('nobody has more than its share at once, and gets the next one when one is done', () => {
  const queue = new FairQueue(({ ownerId }) => (ownerId === 'a' ? 2 : 1));
  for (const n of [0, 1, 2, 3]) queue.add(session('a', n));
  for (const n of [0, 1]) queue.add(session('b', n));
  expect(takeAll(queue)).toEqual(['a0', 'b0', 'a1']);
  queue.done(session('a', 1));
  expect(takeAll(queue)).toEqual(['a2']);
  queue.done(session('b', 0));
  queue.done(session('a', 0));
  expect(takeAll(queue)).toEqual(['b1', 'a3']);
});

test('the same name in another tenant is somebody else', () => {
  const queue = new FairQueue(() => 1);
  queue.add(session('a', 0));
  queue.add({ ...session('a', 1), tenantId: 'other' });
  expect(takeAll(queue)).toEqual(['a0', 'a1']);
});

test('a session that is gone is not taken, and one that is ready twice is taken once', () => {
  const queue = new FairQueue(() => 10);
  for (const n of [0, 1, 1, 2]) queue.add(session('a', n));
  queue.add(session('b', 0));
  queue.delete('a1');
  queue.delete('b0');
  queue.delete('never there');
  expect(takeAll(queue)).toEqual(['a0', 'a2']);
});

test('one that waits for its share and goes leaves the turns in order', () => {
  const queue = new FairQueue(() => 1);
  queue.add(session('a', 0));
  expect(takeAll(queue)).toEqual(['a0']);
  queue.add(session('a', 1));
  queue.delete('a1');
  queue.done(session('a', 0));
  expect(takeAll(queue)).toEqual([]);
  queue.add(session('a', 2));
  expect(takeAll(queue)).toEqual(['a2']);
});

test('after clear nothing is taken, and what still executes counts', () => {
  const queue = new FairQueue(() => 1);
  queue.add(session('a', 0));
  expect(takeAll(queue)).toEqual(['a0']);
  queue.add(session('a', 1));
  queue.clear();
  queue.add(session('a', 2));
  expect(takeAll(queue)).toEqual([]);
  queue.done(session('a', 0));
  expect(takeAll(queue)).toEqual(['a2']);
});

test('ten thousand callers at their share cost the others nothing', () => {
  const queue = new FairQueue(() => 1);
  for (let n = 0; n < 10_000; n++) {
    queue.add(session(`caller ${n} `, 0));
    queue.add(session(`caller ${n} `, 1));
  }
  expect(takeAll(queue)).toHaveLength(10_000);
  queue.add(session('late', 0));
  expect(queue.next()?.sessionId).toBe('late0');
  expect(queue.next()).toBeUndefined();
});
