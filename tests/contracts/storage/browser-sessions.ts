import { expect, it } from 'vitest';
import type { BrowserSessionRow, Storage } from '../../../packages/server/src/storage/types.ts';
import { type OpenFresh, useStorage } from './fixtures.ts';

const MANY = 100;
let made = 0;

function newSession(values: Partial<BrowserSessionRow> = {}): BrowserSessionRow {
  made++;
  return {
    id: `browser_${String(made).padStart(12, '0')}`,
    digest: Uint8Array.from({ length: 32 }, (_, index) => (index * 7 + made) % 256),
    proof: Uint8Array.from({ length: 32 }, (_, index) => (index * 3 + made) % 256),
    tenantId: 'tenant',
    principalId: 'somebody',
    role: 'user',
    scopes: null,
    credentialKind: 'key',
    credentialId: 'key_1',
    createdAt: 1000,
    usedAt: 1000,
    expiresAt: 9000,
    ...values,
  };
}

async function create(storage: Storage, values: Partial<BrowserSessionRow> = {}): Promise<BrowserSessionRow> {
  const session = newSession(values);
  expect(await storage.browserSessions.create(session, MANY)).toEqual([]);
  return session;
}

async function read(storage: Storage, ...ids: readonly string[]): Promise<readonly BrowserSessionRow[]> {
  const rows = await storage.browserSessions.get(ids);
  return rows.map((row) => ({
    ...row,
    digest: new Uint8Array(row.digest),
    proof: new Uint8Array(row.proof),
  }));
}

/** The ids of those that are there, in the order in which they were asked for. */
async function left(storage: Storage, sessions: readonly BrowserSessionRow[]): Promise<readonly string[]> {
  const there = new Set(
    (await storage.browserSessions.get(sessions.map(({ id }) => id))).map(({ id }) => id),
  );
  return sessions.map(({ id }) => id).filter((id) => there.has(id));
}

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeBrowserSessions(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);

  it('are read as they were made (S5)', async () => {
    const { storage } = data;
    const session = await create(storage, {
      tenantId: 'ten\u0000ant',
      principalId: 'some\\body 🔑',
      role: 'admin',
      scopes: ['admin', 'sessions:read'],
    });
    const other = await create(storage, { credentialKind: 'bootstrap', credentialId: null });

    expect(await read(storage, session.id)).toEqual([session]);
    expect(await read(storage, other.id)).toEqual([other]);
  });

  it('are found by many ids at once, without those that are not there (S5)', async () => {
    const { storage } = data;
    const [one, two] = [await create(storage), await create(storage)];

    const rows = await read(storage, one.id, "browser_' or 1=1 --", two.id, one.id, 'browser_\u0000');

    expect(rows.map(({ id }) => id).sort()).toEqual([one.id, two.id]);
    expect(await read(storage)).toEqual([]);
  });

  it('have an id each: who makes a second one changes nothing (S4)', async () => {
    const { storage } = data;
    const session = await create(storage);

    expect(await storage.browserSessions.create(newSession({ id: session.id, role: 'admin' }), 1)).toBeNull();

    expect(await read(storage, session.id)).toEqual([session]);
  });

  it('of a principal beyond the limit go, the oldest first, and those of others stay', async () => {
    const { storage } = data;
    const mine = [await create(storage), await create(storage), await create(storage)];
    const others = [
      await create(storage, { principalId: 'another' }),
      await create(storage, { tenantId: 'elsewhere' }),
    ];
    const [first, second, third] = mine.map(({ id }) => id);
    const fourth = newSession();

    const removed = await storage.browserSessions.create(fourth, 2);

    expect(removed?.toSorted()).toEqual([first, second]);
    expect(await left(storage, [...mine, fourth, ...others])).toEqual([
      third,
      fourth.id,
      ...others.map(({ id }) => id),
    ]);
  });

  it('of a principal are never more than the limit, however many begin at once (S3)', async () => {
    const { storage } = data;
    const sessions = Array.from({ length: 8 }, () => newSession());

    const removed = await Promise.all(sessions.map((one) => storage.browserSessions.create(one, 3)));

    expect(await left(storage, sessions)).toHaveLength(3);
    expect(removed.flat()).toHaveLength(5);
  });

  it('were last used when it was latest; those that are not there are passed over (S4)', async () => {
    const { storage } = data;
    const [one, two] = [await create(storage), await create(storage)];

    await storage.browserSessions.used([
      { id: two.id, at: 3000 },
      { id: 'browser_unknown', at: 3000 },
      { id: one.id, at: 2000 },
    ]);
    await storage.browserSessions.used([
      { id: one.id, at: 2500 },
      { id: two.id, at: 2500 },
    ]);
    await storage.browserSessions.used([]);

    expect(await read(storage, one.id)).toEqual([{ ...one, usedAt: 2500 }]);
    expect(await read(storage, two.id)).toEqual([{ ...two, usedAt: 3000 }]);
  });

  it('are gone once they are deleted, and are not brought back by a use (S6)', async () => {
    const { storage } = data;
    const [one, two] = [await create(storage), await create(storage)];

    expect(await storage.browserSessions.delete(one.id)).toBe(true);
    expect(await storage.browserSessions.delete(one.id)).toBe(false);
    await storage.browserSessions.used([{ id: one.id, at: 2000 }]);

    expect(await left(storage, [one, two])).toEqual([two.id]);
  });

  it('that have expired are removed, in slices, and no others (S6)', async () => {
    const { storage } = data;
    const expired = [
      await create(storage, { expiresAt: 5000 }),
      await create(storage, { expiresAt: 4000 }),
      await create(storage, { expiresAt: 3000 }),
    ];
    const lasting = await create(storage, { expiresAt: 5001 });
    const [latest] = expired.map(({ id }) => id);

    expect(await storage.browserSessions.prune(5000, 2)).toBe(true);
    expect(await left(storage, [...expired, lasting])).toEqual([latest, lasting.id]);
    expect(await storage.browserSessions.prune(5000, 2)).toBe(false);

    expect(await left(storage, [...expired, lasting])).toEqual([lasting.id]);
    expect(await storage.browserSessions.prune(5000, 2)).toBe(false);
  });

  it.skipIf(memoryOnly !== undefined)('outlive a restart (P2)', async () => {
    const session = await create(data.storage, { scopes: ['metrics:read'] });
    await data.storage.browserSessions.used([{ id: session.id, at: 4000 }]);

    const storage = await data.restart();

    expect(await read(storage, session.id)).toEqual([{ ...session, usedAt: 4000 }]);
  });
}
