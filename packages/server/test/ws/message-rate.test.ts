import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { APIConfig } from '../../src/config.ts';
import { LOCAL_OPERATOR, OPERATOR, type Principal } from '../../src/security/principal.ts';
import { MessageRates } from '../../src/ws/message-rate.ts';
import { TokenBucket } from '../../src/ws/token-bucket.ts';
import { message, RawSocket } from './raw-socket.ts';

describe('by the clock', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  const takeAll = (taker: { take(): boolean }) => {
    let taken = 0;
    while (taken < 1000 && taker.take()) taken++;
    return taken;
  };
  const rates = () =>
    new MessageRates(
      new APIConfig({ websocketMessageRate: 10, websocketMessageBurst: 20 }, { env: {} }).values,
    );
  const other: Principal = { ...OPERATOR, id: 'somebody else' };

  test('a bucket gives its burst at once, then its rate, and never more than its burst', () => {
    const bucket = new TokenBucket(10, 20);
    expect(takeAll(bucket)).toBe(20);
    vi.advanceTimersByTime(500);
    expect(takeAll(bucket)).toBe(5);
    vi.advanceTimersByTime(3_600_000);
    expect(takeAll(bucket)).toBe(20);
  });

  test('the connections of a principal share its rate, others have their own', () => {
    const all = rates();
    const [first, second, third] = [all.join(OPERATOR), all.join(OPERATOR), all.join(other)];
    expect(takeAll(first!)).toBe(20);
    expect(takeAll(second!)).toBe(0);
    expect(takeAll(third!)).toBe(20);
  });

  test('connecting again gives nobody a new rate; what is forgotten was full', () => {
    const all = rates();
    expect(takeAll(all.join(OPERATOR)!)).toBe(20);
    all.leave(OPERATOR);
    vi.advanceTimersByTime(1000);
    expect(takeAll(all.join(OPERATOR)!)).toBe(10);
    all.leave(OPERATOR);
    vi.advanceTimersByTime(3000);
    expect(vi.getTimerCount()).toBe(0);
    expect(takeAll(all.join(OPERATOR)!)).toBe(20);
  });

  test('the connections of a caller on the same machine, who has no rate, take nobody off the count', () => {
    const all = rates();
    const open = all.join(OPERATOR);
    expect(all.join(LOCAL_OPERATOR)).toBeNull();
    all.leave(LOCAL_OPERATOR);
    expect(vi.getTimerCount()).toBe(0);
    expect(takeAll(open!)).toBe(20);
    vi.advanceTimersByTime(500);
    expect(takeAll(all.join(OPERATOR)!)).toBe(5);
  });

  test('audio has a rate of its own, in bytes: what is over it is to be waited for', () => {
    const all = rates();
    const [first, second] = [all.join(OPERATOR), all.join(OPERATOR)];
    // Twenty times 64 kB at once, then ten of them a second.
    expect(first!.spend(19 * 65_536)).toBe(0);
    expect(first!.spend(6 * 65_536)).toBeCloseTo(0.5);
    expect(second!.spend(1)).toBeCloseTo(0.5, 2);
    expect(takeAll(first!)).toBe(20);
    vi.advanceTimersByTime(1000);
    expect(first!.spend(65_536)).toBe(0);
  });

  test('frames of audio of no size cost something', () => {
    const rate = rates().join(OPERATOR)!;
    let frames = 0;
    while (frames < 100_000 && rate.spend(0) === 0) frames++;
    expect(frames).toBe(20 * 256);
  });

  test('callers on the same machine have no limit', () => {
    expect(rates().join(LOCAL_OPERATOR)).toBeNull();
  });

  test('ten frames too many are forgiven, and one more each second', () => {
    const rate = rates().join(OPERATOR)!;
    const forgiven = { take: () => rate.forgive() };
    expect(takeAll(forgiven)).toBe(10);
    vi.advanceTimersByTime(2000);
    expect(takeAll(forgiven)).toBe(2);
  });
});

const SECRET = 'a-key-of-many-characters';
const headers = { 'X-API-Key': SECRET };

async function limited() {
  const app = await startApp({ config: { key: SECRET, websocketMessageRate: 1, websocketMessageBurst: 5 } });
  const response = await fetch(`${app.url}/api/sessions`, { method: 'POST', headers });
  const { session_id: id } = (await response.json()) as { session_id: string };
  return { app, open: () => RawSocket.open(app.wsUrl(id), { headers }) };
}

const pings = (count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, n) => message('ping', {}, `ping ${n}`)));

test('frames over the rate are answered with an error first, then the connection is closed with 4008', async () => {
  const { open } = await limited();
  const raw = await open();
  raw.write(pings(30));
  for (let n = 0; n < 5; n++)
    expect(await raw.json()).toMatchObject({ type: 'pong', message_id: `ping ${n}` });
  for (let n = 5; n < 15; n++) {
    expect(await raw.json()).toMatchObject({
      type: 'error',
      message_id: `ping ${n}`,
      data: { code: 'RATE_LIMITED', message: expect.stringContaining('1 messages a second') },
    });
  }
  expect(await raw.closeCode()).toBe(4008);
});

test('another connection of the principal is limited with it, also one that comes later', async () => {
  const { open } = await limited();
  const [first, second] = [await open(), await open()];
  first.write(pings(5));
  await first.settled();
  second.write(pings(1));
  expect(await second.json()).toMatchObject({ type: 'error', data: { code: 'RATE_LIMITED' } });
  first.socket.destroy();
  second.socket.destroy();
  const third = await open();
  third.write(pings(3));
  const types = [(await third.json()).type, (await third.json()).type, (await third.json()).type];
  expect(types).toContain('error');
});

test('callers on the same machine are not limited', async () => {
  const app = await startApp({ config: { websocketMessageRate: 1, websocketMessageBurst: 1 } });
  const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
  raw.write(pings(1000));
  for (let n = 0; n < 1000; n++) expect((await raw.json()).type).toBe('pong');
});
