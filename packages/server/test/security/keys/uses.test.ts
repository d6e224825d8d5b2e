import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { KeyUses } from '../../../src/security/keys/uses.ts';

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp() {
  const used = vi.fn(async (_uses: readonly { readonly keyId: string; readonly at: number }[]) => {});
  const report = vi.fn();
  return { used, report, uses: new KeyUses({ storage: { used }, now: Date.now, report }) };
}

const note = (uses: KeyUses, keyId: string, lastUsedAt: number | null = null) =>
  uses.note({ keyId, lastUsedAt });

it('writes a key at most once a minute, however often it is used, and all keys together', async () => {
  const { used, uses } = setUp();
  const start = Date.now();

  for (let second = 0; second < 59; second++) {
    note(uses, 'one');
    note(uses, 'two');
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(used.mock.calls).toEqual([[['one', 'two'].map((keyId) => ({ keyId, at: start }))]]);

  await vi.advanceTimersByTimeAsync(1000);
  note(uses, 'one');
  await vi.advanceTimersByTimeAsync(1000);
  expect(used.mock.calls[1]).toEqual([[{ keyId: 'one', at: start + MINUTE }]]);
});

it('writes nothing that another process has written within the minute', async () => {
  const { used, uses } = setUp();

  note(uses, 'one', Date.now() - MINUTE + 1);
  await uses.flush();
  expect(used).not.toHaveBeenCalled();

  note(uses, 'one', Date.now() - MINUTE);
  await uses.flush();
  expect(used).toHaveBeenCalledOnce();
});

it('goes on after a clock was set back by an hour', async () => {
  const { used, uses } = setUp();
  note(uses, 'one');
  await uses.flush();

  vi.setSystemTime(Date.now() - 60 * MINUTE);
  note(uses, 'one');
  await uses.flush();

  expect(used).toHaveBeenCalledTimes(2);
});

it('reports a failure and tries again with the next use', async () => {
  const { used, report, uses } = setUp();
  const failure = new Error('away');
  used.mockRejectedValueOnce(failure);
  note(uses, 'one');
  await uses.flush();
  expect(report).toHaveBeenCalledExactlyOnceWith('last use of keys', failure);

  note(uses, 'one');
  await uses.flush();

  expect(used).toHaveBeenCalledTimes(2);
});

it('writes what is pending when it stops, and nothing after', async () => {
  const { used, uses } = setUp();
  note(uses, 'one');

  await uses.stop();
  note(uses, 'two');
  await vi.runAllTimersAsync();

  expect(used).toHaveBeenCalledOnce();
});
