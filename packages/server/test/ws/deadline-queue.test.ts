import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DeadlineQueue } from '../../src/ws/deadline-queue.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function collect(delayMs: number) {
  const due: string[] = [];
  return { due, queue: new DeadlineQueue<string>(delayMs, (item) => void due.push(item)) };
}

test('an item comes due once, after the delay', () => {
  const { due, queue } = collect(3000);
  queue.add('a');
  vi.advanceTimersByTime(2800);
  expect(due).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(due).toEqual(['a']);
  vi.advanceTimersByTime(10_000);
  expect(due).toEqual(['a']);
});

test('each item has its own deadline, also when one is put in again as it comes due', () => {
  const at: [string, number][] = [];
  const start = performance.now();
  const queue = new DeadlineQueue<string>(30_000, (item) => {
    at.push([item, performance.now() - start]);
    queue.add(item);
  });
  queue.add('a');
  vi.advanceTimersByTime(12_000);
  queue.add('b');
  vi.advanceTimersByTime(62_000);
  expect(at).toEqual([
    ['a', 30_000],
    ['b', 42_000],
    ['a', 60_000],
    ['b', 72_000],
  ]);
});

test('putting an item in again moves its deadline', () => {
  const { due, queue } = collect(3000);
  queue.add('a');
  vi.advanceTimersByTime(2000);
  queue.add('a');
  vi.advanceTimersByTime(2000);
  expect(due).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(due).toEqual(['a']);
});

test('what is taken out does not come due, and nothing does after clear', () => {
  const { due, queue } = collect(3000);
  queue.add('a');
  queue.add('b');
  queue.delete('a');
  expect([queue.has('a'), queue.has('b')]).toEqual([false, true]);
  vi.advanceTimersByTime(3000);
  expect(due).toEqual(['b']);
  queue.add('c');
  queue.clear();
  vi.advanceTimersByTime(3000);
  expect(due).toEqual(['b']);
});

test('a thousand items cost one timer, and none when the queue is empty', () => {
  const { due, queue } = collect(30_000);
  for (let n = 0; n < 1000; n++) queue.add(`item ${n}`);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(30_000);
  expect(due).toHaveLength(1000);
  expect(vi.getTimerCount()).toBe(0);
});

test('items that come due close together are handled together', () => {
  const { due, queue } = collect(30_000);
  queue.add('a');
  vi.advanceTimersByTime(500);
  queue.add('b');
  vi.advanceTimersByTime(29_500);
  expect(due).toEqual(['a', 'b']);
});
