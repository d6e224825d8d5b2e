import { SESSION_STATUSES } from '@llmgine/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionKey, SessionQuery, Storage } from '../../../packages/server/src/storage/types.ts';
import { ALL, createSession, ENGINE, type OpenFresh, OWNER, queueRun, useStorage } from './fixtures.ts';

async function idsOf(storage: Storage, query: Partial<SessionQuery> = {}): Promise<string[]> {
  const { sessions } = await storage.listSessions(OWNER, { ...ALL, ...query });
  return sessions.map(({ sessionId }) => sessionId);
}

async function createMany(storage: Storage, count: number): Promise<SessionKey[]> {
  const keys = [];
  for (let index = 0; index < count; index++) keys.push(await createSession(storage));
  return keys;
}

export function describeSessionLists(openFresh: OpenFresh): void {
  const data = useStorage(openFresh);

  describe('pages (S2)', () => {
    it('lists newest first, with the total, by keyset or by offset', async () => {
      const { storage } = data;
      const ids = (await createMany(storage, 5)).map(({ sessionId }) => sessionId).reverse();

      const first = await storage.listSessions(OWNER, { ...ALL, limit: 2 });
      const second = await storage.listSessions(OWNER, { ...ALL, limit: 2, before: first.next ?? 0 });
      const third = await storage.listSessions(OWNER, { ...ALL, limit: 2, before: second.next ?? 0 });

      expect(
        [first, second, third].map(({ sessions }) => sessions.map(({ sessionId }) => sessionId)),
      ).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
      expect([first, second, third].map(({ total, totalExact }) => [total, totalExact])).toEqual(
        Array(3).fill([5, true]),
      );
      expect(third.next).toBeNull();
      expect(await idsOf(storage, { limit: 2, offset: 3 })).toEqual(ids.slice(3, 5));
      expect(await idsOf(storage, { offset: 5 })).toEqual([]);
      expect((await storage.listSessions(OWNER, { ...ALL, limit: 5 })).next).toBeNull();
    });

    it('gives together the list as it was at the start, whatever is created and deleted meanwhile', async () => {
      const { storage } = data;
      const step = fc.record({ created: fc.nat({ max: 2 }), deleted: fc.option(fc.nat()) });

      await fc.assert(
        fc.asyncProperty(
          fc.nat({ max: 12 }),
          fc.integer({ min: 1, max: 4 }),
          fc.array(step, { minLength: 13, maxLength: 13 }),
          fc.boolean(),
          async (count, limit, steps, filtered) => {
            await storage.expireSessions(Number.MAX_SAFE_INTEGER, 1000);
            const metadata = { kind: 'x' };
            const create = async () => (await createSession(storage, { metadata })).sessionId;
            const start: string[] = [];
            for (let index = 0; index < count; index++) start.unshift(await create());
            const live = new Set(start);
            const gone = new Set<string>();

            const seen: string[] = [];
            let before: number | undefined;
            for (const { created, deleted } of steps) {
              const page = await storage.listSessions(OWNER, {
                ...ALL,
                limit,
                ...(before === undefined ? {} : { before }),
                ...(filtered ? { metadata } : {}),
              });
              expect(page).toMatchObject({ total: live.size, totalExact: true });
              seen.push(...page.sessions.map(({ sessionId }) => sessionId));
              before = page.next ?? undefined;
              if (page.next === null) break;
              for (let index = 0; index < created; index++) live.add(await create());
              const victim = deleted === null ? undefined : [...live][deleted % live.size];
              if (victim !== undefined) {
                await storage.deleteSession({ ...OWNER, sessionId: victim });
                live.delete(victim);
                gone.add(victim);
              }
            }

            expect(new Set(seen).size).toBe(seen.length);
            expect(seen.filter((id) => !gone.has(id))).toEqual(start.filter((id) => !gone.has(id)));
            expect(start).toEqual(expect.arrayContaining(seen));
          },
        ),
        { numRuns: 40 },
      );
    });
  });

  describe('expired sessions (S3)', () => {
    it('are neither listed nor counted before they are removed', async () => {
      const { storage } = data;
      await createSession(storage, { createdAt: 1000 });
      await createSession(storage, { createdAt: 1999, metadata: { a: 1 } });
      const fresh = await createSession(storage, { createdAt: 2000 });
      const busy = await createSession(storage, { createdAt: 1000, engine: ENGINE });
      await createSession(storage, { createdAt: 1000, ownerId: 'somebody else' });
      await queueRun(storage, busy);

      const page = await storage.listSessions(OWNER, { ...ALL, expiredBefore: 2000 });
      const filtered = await storage.listSessions(OWNER, {
        ...ALL,
        expiredBefore: 2000,
        metadata: { a: '1' },
      });

      expect(page.sessions.map(({ sessionId }) => sessionId)).toEqual([busy.sessionId, fresh.sessionId]);
      expect(page).toMatchObject({ total: 2, totalExact: true });
      expect(filtered).toMatchObject({ sessions: [], total: 0 });
      expect(await storage.listSessions(OWNER, ALL)).toMatchObject({ total: 4 });
    });
  });

  describe('status (S5)', () => {
    it('is exactly one for each session', async () => {
      const { storage } = data;
      const failed = { ...ENGINE, status: 'failed' } as const;
      const expected = {
        idle: [await createSession(storage, { createdAt: 1000 })],
        running: [
          await createSession(storage, { createdAt: 2000 }),
          await createSession(storage, { createdAt: 1000, engine: ENGINE }),
        ],
        failed: [
          await createSession(storage, { createdAt: 1000, engine: failed }),
          await createSession(storage, { createdAt: 2000, engine: failed }),
        ],
      };
      await queueRun(storage, expected.running[1] as SessionKey);

      for (const status of SESSION_STATUSES) {
        const page = await storage.listSessions(OWNER, { ...ALL, idleBefore: 2000, status });

        const ids = expected[status].map(({ sessionId }) => sessionId).reverse();
        expect(page.sessions.map(({ sessionId }) => sessionId)).toEqual(ids);
        expect(page).toMatchObject({ total: ids.length, totalExact: true });
      }
    });
  });

  describe('metadata (S5)', () => {
    it('is compared as text, scalar values at the top level only', async () => {
      const { storage } = data;
      const metadata = {
        text: 'hello',
        number: 7,
        fraction: 0.5,
        yes: true,
        nothing: null,
        empty: '',
        "quo'te%_": 'a"b',
        object: { a: 1 },
        list: [1],
      };
      const { sessionId } = await createSession(storage, { metadata });
      await createSession(storage, { metadata: { text: 'hello ' } });
      const finds = async (key: string, value: string) =>
        (await idsOf(storage, { metadata: { [key]: value } })).includes(sessionId);

      for (const [key, value] of Object.entries({
        text: 'hello',
        number: '7',
        fraction: '0.5',
        yes: 'true',
        nothing: 'null',
        empty: '',
        "quo'te%_": 'a"b',
      })) {
        expect(await finds(key, value), key).toBe(true);
      }
      for (const [key, value] of [
        ['text', 'HELLO'],
        ['text', 'hell%'],
        ['number', '7.0'],
        ['object', '{"a":1}'],
        ['object.a', '1'],
        ['list', '[1]'],
        ['missing', 'null'],
      ] as const) {
        expect(await finds(key, value), `${key} ${value}`).toBe(false);
      }
    });

    it('filters by all given values, together with status and pages', async () => {
      const { storage } = data;
      const both: string[] = [];
      for (let index = 0; index < 4; index++) {
        both.unshift((await createSession(storage, { metadata: { app: 'a', user: 1 } })).sessionId);
        await createSession(storage, { metadata: { app: 'a', user: 2 } });
        await createSession(storage, { metadata: { app: 'b', user: 1 } });
        await createSession(storage, { metadata: { app: 'a', user: 1 }, createdAt: 500 });
      }
      const query = {
        ...ALL,
        idleBefore: 1000,
        status: 'running',
        metadata: { app: 'a', user: '1' },
      } as const;

      const first = await storage.listSessions(OWNER, { ...query, limit: 3 });
      const second = await storage.listSessions(OWNER, { ...query, limit: 3, before: first.next ?? 0 });

      expect([...first.sessions, ...second.sessions].map(({ sessionId }) => sessionId)).toEqual(both);
      expect(second).toMatchObject({ total: 4, totalExact: true, next: null });
      expect(await idsOf(storage, { ...query, offset: 3 })).toEqual(both.slice(3));
    });
  });

  // Ten thousand transactions.
  it('counts filtered lists to 10,000 (S3)', { timeout: 120_000 }, async () => {
    const { storage } = data;
    for (let index = 0; index < 10_000; index++) await createSession(storage, { metadata: { a: 1 } });
    const query = { ...ALL, limit: 1, metadata: { a: '1' } };

    const exact = await storage.listSessions(OWNER, query);
    await createSession(storage, { metadata: { a: 1 } });
    const beyond = await storage.listSessions(OWNER, query);
    const unfiltered = await storage.listSessions(OWNER, { ...ALL, limit: 1 });

    expect(exact).toMatchObject({ total: 10_000, totalExact: true });
    expect(beyond).toMatchObject({ total: 10_000, totalExact: false });
    expect(unfiltered).toMatchObject({ total: 10_001, totalExact: true });
  });
}
