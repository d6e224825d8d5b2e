import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BoundedMap } from '../../src/security/limits/bounded-map.ts';
import { rateLimitHeaders } from '../../src/security/limits/rate-limited.ts';
import { RateLimiter } from '../../src/security/limits/rate-limiter.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const takeAll = (limiter: RateLimiter, source: string) => {
  let taken = 0;
  while (taken < 10_000 && limiter.take(source).retryAfter === 0) taken++;
  return taken;
};

describe('a source', () => {
  test('has its limit at once, then its rate, and never more than its limit', () => {
    const limiter = new RateLimiter({ policy: 'default', limit: 60 });
    expect(takeAll(limiter, 'a')).toBe(60);
    vi.advanceTimersByTime(10_000);
    expect(takeAll(limiter, 'a')).toBe(10);
    vi.advanceTimersByTime(3_600_000);
    expect(takeAll(limiter, 'a')).toBe(60);
  });

  test('does not use up what others have', () => {
    const limiter = new RateLimiter({ policy: 'default', limit: 60 });
    takeAll(limiter, 'a');
    expect(takeAll(limiter, 'b')).toBe(60);
  });

  test('is told what is left, until when, and when to come again', () => {
    const limiter = new RateLimiter({ policy: 'default', limit: 30 });
    expect(limiter.take('a')).toEqual({
      quota: { policy: 'default', limit: 30, window: 60, remaining: 29, reset: 2 },
      retryAfter: 0,
    });
    takeAll(limiter, 'a');
    expect(limiter.take('a')).toMatchObject({ quota: { remaining: 0, reset: 60 }, retryAfter: 2 });
    vi.advanceTimersByTime(500);
    expect(limiter.take('a')).toMatchObject({ retryAfter: 2 });
    vi.advanceTimersByTime(1000);
    expect(limiter.take('a')).toMatchObject({ retryAfter: 1 });
    vi.advanceTimersByTime(500);
    expect(limiter.take('a')).toMatchObject({ retryAfter: 0 });
  });

  test('who waits as long as it was told gets through', () => {
    const limiter = new RateLimiter({ policy: 'default', limit: 7 });
    takeAll(limiter, 'a');
    for (let n = 0; n < 50; n++) {
      vi.advanceTimersByTime(limiter.take('a').retryAfter * 1000);
      expect(limiter.take('a').retryAfter).toBe(0);
    }
  });

  test('never has more left than its limit, whatever is given back', () => {
    const limiter = new RateLimiter({ policy: 'default', limit: 3 });
    for (let n = 0; n < 10; n++) limiter.giveBack('a');
    expect(limiter.take('a').quota.remaining).toBe(2);
    expect(takeAll(limiter, 'a')).toBe(2);
  });

  test('gains and loses nothing when the wall clock is set', () => {
    const limiter = new RateLimiter({ policy: 'default', limit: 60 });
    takeAll(limiter, 'a');
    vi.setSystemTime(Date.now() + 86_400_000);
    expect(limiter.take('a').retryAfter).toBe(1);
    vi.setSystemTime(Date.now() - 10 * 86_400_000);
    vi.advanceTimersByTime(1000);
    expect(takeAll(limiter, 'a')).toBe(1);
  });
});

test('a hundred thousand sources take no more room than those that are remembered', () => {
  const limiter = new RateLimiter({ policy: 'address', limit: 1, maxSources: 1000 });
  limiter.take('regular');
  for (let n = 0; n < 100_000; n++) {
    limiter.take(`source ${n}`);
    if (n % 500 === 0) expect(limiter.take('regular').retryAfter).toBeGreaterThan(0);
  }
  expect(limiter.sources).toBe(1000);
});

test('a bounded map drops what was not used for the longest time', () => {
  const map = new BoundedMap<number>(2);
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 3]);
  map.set('c', 4);
  expect([map.get('a'), map.get('c'), map.size]).toEqual([1, 4, 2]);
});

test('the header fields are those of the draft', () => {
  expect(rateLimitHeaders({ policy: 'default', limit: 600, window: 60, remaining: 599, reset: 1 })).toEqual({
    'ratelimit-policy': '"default";q=600;w=60',
    ratelimit: '"default";r=599;t=1',
  });
});
