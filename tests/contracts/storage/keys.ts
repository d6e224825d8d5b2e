import { describe, expect, it } from 'vitest';
import type { KeyRow, NewKey, Storage } from '../../../packages/server/src/storage/types.ts';
import { type OpenFresh, useStorage } from './fixtures.ts';

const NOW = 5000;
let made = 0;

function newKey(values: Partial<NewKey> = {}): NewKey {
  made++;
  return {
    keyId: `key_${String(made).padStart(12, '0')}`,
    digest: Uint8Array.from({ length: 32 }, (_, index) => (index * 7 + made) % 256),
    name: 'a key',
    tenantId: 'tenant',
    principalId: 'somebody',
    role: 'user',
    scopes: null,
    createdAt: 1000,
    expiresAt: null,
    ...values,
  };
}

async function createKey(storage: Storage, values: Partial<NewKey> = {}): Promise<KeyRow> {
  const key = newKey(values);
  expect(await storage.keys.create(key)).toBe(true);
  return read(storage, key.keyId);
}

async function read(storage: Storage, keyId: string): Promise<KeyRow> {
  const [row] = await storage.keys.get([keyId]);
  if (!row) throw new Error(`There is no key ${keyId}`);
  return { ...row, digest: new Uint8Array(row.digest) };
}

const successor = (values: Partial<NewKey> = {}) => {
  const { keyId, digest, createdAt, expiresAt } = newKey({ createdAt: NOW, ...values });
  return { keyId, digest, createdAt, expiresAt };
};

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeKeys(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);

  it('are read as they were made (S5)', async () => {
    const { storage } = data;
    const key = newKey({
      name: 'Name with \u0000, "quotes" and 🔑',
      tenantId: 'ten\u0000ant',
      principalId: 'some\\body',
      role: 'admin',
      scopes: ['admin', 'sessions:read'],
      expiresAt: 9000,
    });

    expect(await storage.keys.create(key)).toBe(true);

    const rest = { lastUsedAt: null, revokedAt: null, successorId: null };
    expect(await read(storage, key.keyId)).toEqual({ ...key, ...rest });
  });

  it('are found by many ids at once, without those that are not there (S5)', async () => {
    const { storage } = data;
    const one = await createKey(storage);
    const two = await createKey(storage);

    const rows = await storage.keys.get([one.keyId, "key_' or 1=1 --", two.keyId, one.keyId, 'key_\u0000']);

    expect(rows.map(({ keyId }) => keyId).sort()).toEqual([one.keyId, two.keyId]);
    expect(await storage.keys.get([])).toEqual([]);
  });

  it('have an id each: who makes a second one changes nothing (S4)', async () => {
    const { storage } = data;
    const key = await createKey(storage);

    expect(await storage.keys.create(newKey({ keyId: key.keyId, name: 'another' }))).toBe(false);

    expect(await read(storage, key.keyId)).toEqual(key);
  });

  it('are listed newest first, in pages that are the whole list, whatever comes meanwhile (S2)', async () => {
    const { storage } = data;
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) ids.unshift((await createKey(storage)).keyId);
    await createKey(storage, { tenantId: 'other' });

    const first = await storage.keys.list({ limit: 2, tenantId: 'tenant' });
    await createKey(storage);
    const second = await storage.keys.list({ limit: 2, tenantId: 'tenant', before: first.next ?? undefined });
    const third = await storage.keys.list({ limit: 2, tenantId: 'tenant', before: second.next ?? undefined });

    const listed = [first, second, third].flatMap(({ keys }) => keys.map(({ keyId }) => keyId));
    expect(listed).toEqual(ids);
    expect(third.next).toBeNull();
    expect((await storage.keys.list({ limit: 100 })).keys).toHaveLength(7);
    expect(await storage.keys.list({ limit: 2, tenantId: 'nobody' })).toEqual({ keys: [], next: null });
  });

  it('change as they are told, and in nothing else', async () => {
    const { storage } = data;
    const key = await createKey(storage, { scopes: ['sessions:read'], expiresAt: 9000 });
    const bystander = await createKey(storage);

    expect(await storage.keys.change(key, { role: 'viewer' }, NOW)).toBe(true);
    const lowered = { ...key, role: 'viewer' };
    expect(await read(storage, key.keyId)).toEqual(lowered);
    expect(await storage.keys.change(lowered, { scopes: null, expiresAt: null, name: 'new' }, NOW)).toBe(
      true,
    );

    const changed = { ...lowered, scopes: null, expiresAt: null, name: 'new' };
    expect(await read(storage, key.keyId)).toEqual(changed);
    expect(await storage.keys.change(changed, {}, NOW)).toBe(true);
    expect(await read(storage, key.keyId)).toEqual(changed);
    expect(await read(storage, bystander.keyId)).toEqual(bystander);
  });

  it.each([
    ['allows something else', { role: 'admin' }],
    ['has other limits', { scopes: ['admin'] }],
    ['has no limits', { scopes: null }],
    ['expires at another time', { expiresAt: 8000 }],
    ['never expires', { expiresAt: null }],
    ['has a successor', { successorId: 'key_000000000000' }],
    ['is another one', { keyId: 'key_unknown' }],
  ] as const)('stay as they are for who has seen one that %s (S4)', async (_what, values) => {
    const { storage } = data;
    const key = await createKey(storage, { scopes: ['sessions:read'], expiresAt: 9000 });
    const seen = { ...key, ...values };

    expect(await storage.keys.change(seen, { role: 'viewer' }, NOW)).toBe(false);
    expect(await storage.keys.rotate(seen, successor(), 6000)).toBe(false);

    expect(await read(storage, key.keyId)).toEqual(key);
    expect((await storage.keys.list({ limit: 100 })).keys).toHaveLength(1);
  });

  it('stay as they are once they have expired or were revoked (S4)', async () => {
    const { storage } = data;
    const expired = await createKey(storage, { expiresAt: NOW });
    const revoked = await createKey(storage);
    expect(await storage.keys.revoke(revoked.keyId, 4000)).toBe(true);

    for (const seen of [expired, await read(storage, revoked.keyId), revoked]) {
      expect(await storage.keys.change(seen, { expiresAt: null }, NOW)).toBe(false);
      expect(await storage.keys.rotate(seen, successor(), 6000)).toBe(false);
    }

    expect(await read(storage, expired.keyId)).toEqual(expired);
  });

  it('are revoked once, and stay so', async () => {
    const { storage } = data;
    const key = await createKey(storage);

    expect(await storage.keys.revoke(key.keyId, 4000)).toBe(true);
    expect(await storage.keys.revoke(key.keyId, 4500)).toBe(true);
    expect(await storage.keys.revoke('key_unknown', 4000)).toBe(false);

    expect(await read(storage, key.keyId)).toEqual({ ...key, revokedAt: 4000 });
  });

  describe('that are rotated', () => {
    it('have a successor that is and may do the same, and go on for a while', async () => {
      const { storage } = data;
      const key = await createKey(storage, { role: 'admin', scopes: ['admin'], name: 'CI' });
      const next = successor({ expiresAt: 99_000 });

      expect(await storage.keys.rotate(key, next, 6000)).toBe(true);

      expect(await read(storage, key.keyId)).toEqual({ ...key, expiresAt: 6000, successorId: next.keyId });
      expect(await read(storage, next.keyId)).toEqual({ ...key, ...next });
    });

    it('never live longer by it', async () => {
      const { storage } = data;
      const key = await createKey(storage, { expiresAt: 5500 });

      expect(await storage.keys.rotate(key, successor(), 6000)).toBe(true);

      expect(await read(storage, key.keyId)).toMatchObject({ expiresAt: 5500 });
    });

    it('have one successor, however many try at once', async () => {
      const { storage } = data;
      const key = await createKey(storage);
      const attempts = Array.from({ length: 5 }, () => successor());

      const done = await Promise.all(attempts.map((next) => storage.keys.rotate(key, next, 6000)));

      expect(done.filter(Boolean)).toHaveLength(1);
      const winner = attempts[done.indexOf(true)]?.keyId;
      expect(await read(storage, key.keyId)).toMatchObject({ successorId: winner });
      expect((await storage.keys.list({ limit: 100 })).keys).toHaveLength(2);
    });
  });

  it('were last used when it was latest; those that are not there are passed over (S4)', async () => {
    const { storage } = data;
    const one = await createKey(storage);
    const two = await createKey(storage);

    await storage.keys.used([
      { keyId: two.keyId, at: 3000 },
      { keyId: 'key_unknown', at: 3000 },
      { keyId: one.keyId, at: 2000 },
    ]);
    await storage.keys.used([
      { keyId: one.keyId, at: 2500 },
      { keyId: two.keyId, at: 2500 },
    ]);
    await storage.keys.used([]);

    expect(await read(storage, one.keyId)).toEqual({ ...one, lastUsedAt: 2500 });
    expect(await read(storage, two.keyId)).toEqual({ ...two, lastUsedAt: 3000 });
  });

  it.skipIf(memoryOnly !== undefined)('outlive a restart (P2)', async () => {
    const key = await createKey(data.storage, { scopes: ['metrics:read'] });
    await data.storage.keys.revoke(key.keyId, 4000);

    const storage = await data.restart();

    expect(await read(storage, key.keyId)).toEqual({ ...key, revokedAt: 4000 });
  });
}
