import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Abuse, Guard } from '../../src/security/abuse/guard.ts';
import { HeldAnswers } from '../../src/security/abuse/held-answers.ts';
import { Suspects } from '../../src/security/abuse/suspects.ts';
import { LOCAL_OPERATOR, OPERATOR, type Principal } from '../../src/security/principal.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const SOURCE = '192.0.2.1';
const USER: Principal = { ...OPERATOR, id: 'user', role: 'user' };

function watch() {
  const seen: Abuse[] = [];
  const guard = new Guard({ onAbuse: (abuse) => void seen.push(abuse) });
  return { guard, seen };
}

/** How often it fails until it is blocked. */
function failUntilBlocked(guard: Guard, key: (n: number) => string): number {
  for (let n = 0; n < 10_000; n++) {
    try {
      guard.admitSource(SOURCE);
    } catch {
      return n;
    }
    void guard.credentialFailed(SOURCE, key(n));
  }
  return Number.POSITIVE_INFINITY;
}

test('many different keys from one source block it soon, and it is told once', () => {
  const { guard, seen } = watch();
  expect(failUntilBlocked(guard, String)).toBe(17);
  expect(seen).toEqual([{ kind: 'key_spraying', source: SOURCE, principal: null, blockedSeconds: 60 }]);
  for (let n = 0; n < 1000; n++) void guard.credentialFailed(SOURCE, `late ${n}`);
  expect(seen).toHaveLength(1);
});

test('the same wrong key again and again takes longer, and is called what it is', () => {
  const { guard, seen } = watch();
  expect(failUntilBlocked(guard, () => 'old')).toBe(48);
  expect(seen).toMatchObject([{ kind: 'failures' }]);
});

test('a client that tries its old key every two seconds is never blocked', () => {
  const { guard, seen } = watch();
  for (let n = 0; n < 10_000; n++) {
    guard.admitSource(SOURCE);
    void guard.credentialFailed(SOURCE, 'old');
    vi.advanceTimersByTime(2000);
  }
  expect(seen).toEqual([]);
});

test('tokens that have expired count less: a whole office may come with old ones', () => {
  const { guard, seen } = watch();
  expect(failUntilBlocked(guard, (n) => `eyJhbGciOiJIUzI1NiJ9.${n}.c2ln`)).toBe(67);
  expect(seen).toMatchObject([{ kind: 'key_spraying' }]);
});

test('a block says how long it lasts, ends by itself, and is longer each time', () => {
  const { guard, seen } = watch();
  for (const seconds of [60, 120, 240, 480, 960, 1920, 3600, 3600]) {
    failUntilBlocked(guard, String);
    expect(seen.at(-1)?.blockedSeconds).toBe(seconds);
    expect(() => guard.admitSource(SOURCE)).toThrow(
      expect.objectContaining({ code: 'RATE_LIMITED', retryAfter: seconds }),
    );
    vi.advanceTimersByTime(seconds * 1000);
    guard.admitSource(SOURCE);
  }
  vi.advanceTimersByTime(3_601_000);
  failUntilBlocked(guard, String);
  expect(seen.at(-1)?.blockedSeconds).toBe(60);
});

test('other sources are not blocked with it', () => {
  const { guard } = watch();
  failUntilBlocked(guard, String);
  guard.admitSource('192.0.2.2');
});

test('a caller that looks for ids is blocked, and nobody else at its address', async () => {
  const { guard, seen } = watch();
  for (let n = 0; n < 200; n++) void guard.sessionMissed(USER, SOURCE, `id ${n}`);
  expect(() => guard.admitCaller(USER)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
  guard.admitCaller({ ...USER, id: 'other' });
  guard.admitCaller({ ...USER, tenantId: 'other' });
  guard.admitSource(SOURCE);
  expect(seen).toEqual([{ kind: 'id_probing', source: SOURCE, principal: USER, blockedSeconds: 60 }]);
  vi.advanceTimersByTime(60_000);
  guard.admitCaller(USER);
});

test('a client that asks for one session that has expired is not blocked', () => {
  const { guard, seen } = watch();
  for (let n = 0; n < 1900; n++) void guard.sessionMissed(USER, SOURCE, 'expired');
  guard.admitCaller(USER);
  expect(seen).toEqual([]);
});

test('a caller on the same machine is never blocked, and never waits', async () => {
  const { guard, seen } = watch();
  for (let n = 0; n < 1000; n++) await guard.sessionMissed(LOCAL_OPERATOR, '127.0.0.1', `id ${n}`);
  guard.admitCaller(LOCAL_OPERATOR);
  expect(seen).toEqual([]);
});

test('answers are held back ever longer, for two seconds at most', () => {
  const suspects = new Suspects({
    pointsOfNew: 1,
    pointsOfSame: 1,
    forgiven: 0,
    slowAt: 10,
    blockAt: 1000,
    blockSeconds: 60,
    maxBlockSeconds: 60,
  });
  const delays = Array.from({ length: 999 }, () => suspects.failed(SOURCE, 'x').delayMs);
  expect(delays.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 0));
  expect(delays[9]).toBe(50);
  expect(delays.toSorted((a, b) => a - b)).toEqual(delays);
  expect(delays.at(-1)).toBeLessThanOrEqual(2000);
  expect(delays.at(-1)).toBeGreaterThan(1900);
});

test('few answers of a source and of all are held back; what is beyond is answered at once', async () => {
  const held = new HeldAnswers();
  for (let n = 0; n < 10_000; n++) void held.hold('one', 1000);
  expect(held.count).toBe(4);
  for (let n = 0; n < 10_000; n++) void held.hold(`source ${n}`, 1000);
  expect(held.count).toBe(256);
  await held.hold('beyond', 1000);
  vi.advanceTimersByTime(1000);
  expect(held.count).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a held answer is given when its time has come, and when the server stops', async () => {
  const held = new HeldAnswers();
  const first = held.hold('one', 1000);
  vi.advanceTimersByTime(1000);
  await first;
  const second = held.hold('one', 1000);
  held.close();
  await second;
  await held.hold('one', 1000);
  expect(vi.getTimerCount()).toBe(0);
});

test('sources of all the world take no more room than those that are remembered', () => {
  const suspects = new Suspects({
    pointsOfNew: 1,
    pointsOfSame: 1,
    forgiven: 1,
    slowAt: 10,
    blockAt: 20,
    blockSeconds: 60,
    maxBlockSeconds: 60,
    maxSources: 100,
  });
  for (let n = 0; n < 10_000; n++) suspects.failed(`source ${n}`, 'x');
  expect(suspects.size).toBe(100);
});
