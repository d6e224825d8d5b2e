import { expect, test } from 'vitest';
import { Backoff } from '../../../src/tools/mcp/backoff.ts';

test('each failure waits longer, with jitter, up to a minute', () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 12 }, () => backoff.next(0));
  waits.forEach((wait, failures) => {
    const full = Math.min(60_000, 500 * 2 ** failures);
    expect(wait).toBeGreaterThanOrEqual(full / 2);
    expect(wait).toBeLessThanOrEqual(full);
  });
});

test('a connection that lived for a while is a new beginning, a short one is not', () => {
  const backoff = new Backoff();
  for (let failures = 0; failures < 10; failures++) backoff.next(0);
  expect(backoff.next(1000)).toBeGreaterThanOrEqual(30_000);
  expect(backoff.next(60_000)).toBeLessThanOrEqual(500);
  expect(backoff.next(0)).toBeLessThanOrEqual(1000);
});
