import { timingSafeEqual } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeKey } from '../../../src/security/keys/format.ts';
import { KeyVerifier } from '../../../src/security/keys/verifier.ts';
import { LOCAL_OPERATOR } from '../../../src/security/principal.ts';
import { FakeKeys } from './fake-keys.ts';

vi.mock('node:crypto', { spy: true });

const NOW = 5000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
});

function setUp(now = () => NOW) {
  const storage = new FakeKeys();
  const uses = { note: vi.fn() };
  return { storage, uses, verifier: new KeyVerifier({ storage, uses, now }) };
}

it('knows whose key it is, and notes that it was used', async () => {
  const { storage, uses, verifier } = setUp();
  const { key, keyId } = storage.add({ role: 'admin', scopes: ['admin', 'fly'], expiresAt: 6000 });

  expect(await verifier.verify(key)).toEqual({
    id: 'somebody',
    tenantId: 'tenant',
    role: 'admin',
    scopes: ['admin'],
    local: false,
    credential: { kind: 'key', id: keyId, expiresAt: 6000 },
  });
  expect(uses.note).toHaveBeenCalledExactlyOnceWith(storage.rows.get(keyId));
});

it('looks nothing up for what is no key', async () => {
  const { storage, verifier } = setUp();
  const { key } = storage.add();

  for (const offered of ['', 'secret', key.slice(0, -1), `${key.slice(0, -1)}_`]) {
    expect(await verifier.verify(offered)).toBeNull();
  }

  expect(storage.asked).toEqual([]);
});

it('does the same work for an unknown id as for a wrong secret (check 36)', async () => {
  const { storage, uses, verifier } = setUp();
  const unknown = makeKey();
  const wrong = storage.add();
  storage.set(wrong.keyId, { digest: unknown.digest });

  for (const offered of [unknown.key, wrong.key]) {
    vi.mocked(timingSafeEqual).mockClear();
    storage.asked.length = 0;
    expect(await verifier.verify(offered)).toBeNull();
    expect(storage.asked).toHaveLength(1);
    expect(timingSafeEqual).toHaveBeenCalledTimes(1);
  }
  expect(uses.note).not.toHaveBeenCalled();
});

it.each([
  ['is revoked', { revokedAt: 4000 }],
  ['expires at this moment', { expiresAt: NOW }],
  ['has expired', { expiresAt: NOW - 1 }],
  ['has a role that this version does not know', { role: 'emperor' }],
])('refuses a key that %s', async (_what, values) => {
  const { storage, verifier } = setUp();

  expect(await verifier.verify(storage.add(values).key)).toBeNull();
});

it('takes scopes that it does not know for none', async () => {
  const { storage, verifier } = setUp();

  expect(await verifier.verify(storage.add({ scopes: ['fly'] }).key)).toMatchObject({ scopes: [] });
});

describe('its cache', () => {
  it('asks once for many requests, and again within a second', async () => {
    const { storage, verifier } = setUp();
    const { key, keyId } = storage.add();

    await Promise.all(Array.from({ length: 100 }, () => verifier.verify(key)));
    await verifier.verify(key);
    expect(storage.asked).toHaveLength(1);

    storage.set(keyId, { revokedAt: 4000 });
    vi.advanceTimersByTime(999);
    expect(await verifier.verify(key)).toBeNull();
  });

  it('does not keep a key beyond its expiry', async () => {
    let now = NOW;
    const { storage, verifier } = setUp(() => now);
    const { key } = storage.add({ expiresAt: NOW + 1 });

    expect(await verifier.verify(key)).not.toBeNull();
    now++;
    expect(await verifier.verify(key)).toBeNull();
    expect(storage.asked).toHaveLength(1);
  });

  it('counts the age from when it asked, not from when it was answered', async () => {
    const { storage, verifier } = setUp();
    const { key, keyId } = storage.add();
    const held = Promise.withResolvers<void>();
    storage.before = () => held.promise;
    const slow = verifier.verify(key);
    await vi.waitUntil(() => storage.asked.length === 1);

    vi.advanceTimersByTime(999);
    held.resolve();
    expect(await slow).not.toBeNull();
    storage.set(keyId, { revokedAt: 4000 });

    expect(await verifier.verify(key)).toBeNull();
  });

  it('forgets what it is told to', async () => {
    const { storage, verifier } = setUp();
    const { key, keyId } = storage.add();
    await verifier.verify(key);

    storage.set(keyId, { revokedAt: 4000 });
    verifier.forget(keyId);

    expect(await verifier.verify(key)).toBeNull();
  });

  it('does not keep failures, and rejects with them', async () => {
    const { storage, verifier } = setUp();
    const { key } = storage.add();
    storage.before = () => Promise.reject(new Error('away'));
    await expect(verifier.verify(key)).rejects.toThrow('away');

    storage.before = async () => {};

    expect(await verifier.verify(key)).not.toBeNull();
  });

  it('holds a bounded number of keys, known or not', async () => {
    const { storage, verifier } = setUp();
    const first = makeKey().key;
    await verifier.verify(first);
    for (let count = 0; count < 10_000; count += 1000) {
      await Promise.all(Array.from({ length: 1000 }, () => verifier.verify(makeKey().key)));
    }
    storage.asked.length = 0;

    await verifier.verify(first);

    expect(storage.asked).toHaveLength(1);
  });
});

describe('recheck', () => {
  it('says what the storage says at this moment, for many keys in few look-ups', async () => {
    const { storage, verifier } = setUp();
    const keys = Array.from({ length: 1200 }, () => storage.add());
    const principals = await Promise.all(keys.map(({ key }) => verifier.verify(key)));
    const [revoked, lowered, moved] = keys.map(({ keyId }) => keyId) as [string, string, string];
    storage.set(revoked, { revokedAt: 4000 });
    storage.set(lowered, { role: 'viewer', scopes: ['info:read'] });
    storage.set(moved, { expiresAt: 7000 });
    storage.asked.length = 0;

    const now = await Promise.all(principals.map((principal) => verifier.recheck(principal as never)));

    expect(now[0]).toBeNull();
    expect(now[1]).toMatchObject({ role: 'viewer', scopes: ['info:read'] });
    expect(now[2]).toMatchObject({ credential: { expiresAt: 7000 } });
    expect(now.slice(3)).toEqual(principals.slice(3));
    expect(storage.asked.map((ids) => ids.length)).toEqual([500, 500, 200]);
  });

  it('rejects when it cannot know', async () => {
    const { storage, verifier } = setUp();
    const principal = await verifier.verify(storage.add().key);
    storage.before = () => Promise.reject(new Error('away'));

    await expect(verifier.recheck(principal as never)).rejects.toThrow('away');
  });

  it('leaves the holders of other credentials as they were', async () => {
    const { storage, verifier } = setUp();

    expect(await verifier.recheck(LOCAL_OPERATOR)).toBe(LOCAL_OPERATOR);
    expect(storage.asked).toEqual([]);
  });
});
