import { describe, expect, it } from 'vitest';
import type { Budgets, SessionKey, Write } from '../../../packages/server/src/storage/types.ts';
import {
  appended,
  ask,
  createSession,
  ENGINE,
  finishRun,
  type OpenFresh,
  OWNER,
  outcomeOf,
  parkRun,
  recoverRun,
  releaseRun,
  startedRun,
  useStorage,
} from './fixtures.ts';
import {
  checkpoint,
  DAY,
  NEXT_DAY,
  NOTHING,
  PRICE,
  type Reserve,
  reserve,
  reserved,
  TOMORROW,
  used,
} from './usage-fixtures.ts';

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeBudgets(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);
  const newSession = (ownerId: string = OWNER.ownerId) =>
    createSession(data.storage, { engine: ENGINE, ownerId });
  const sumsOf = async (session: SessionKey) => {
    const row = await data.storage.getSession(session);
    return row && { usage: row.usage, steps: row.steps, elapsedMs: row.elapsedMs };
  };

  describe('a budget', () => {
    const ROOM: Budgets = { run: { tokens: 100 }, session: { tokens: 100 }, principal: { tokens: 100 } };

    it.each([
      ['run', 'tokens', { run: { tokens: 29 } }, 29],
      ['session', 'tokens', { session: { tokens: 25 } }, 25],
      ['principal', 'tokens', { principal: { tokens: 25 } }, 25],
      ['run', 'cost', { run: { cost: 0.1 } }, 0.1],
      ['session', 'cost', { session: { cost: 0.1 } }, 0.1],
      ['principal', 'cost', { principal: { cost: 0.1 } }, 0.1],
    ] as const)(
      'of the %s that has no room for a call in its %s refuses it and changes nothing (S4)',
      async (scope, kind, budgets, limit) => {
        const { storage } = data;
        const session = await newSession();
        const runId = await startedRun(storage, session);
        const call = { inputTokens: 15, price: { input: 0.01, output: 0.01 } };
        const before = await storage.getRun(session, runId);

        const refused = await reserved(storage, session, reserve(runId, budgets, { call }));

        const needed = kind === 'tokens' ? 31 : 0.31;
        expect(refused).toEqual({ refused: 'budget_exceeded', scope, kind, limit, used: 0, needed });
        expect(await storage.getRun(session, runId)).toEqual(before);
        expect((await storage.usageOn(OWNER, DAY))?.reserved ?? NOTHING).toEqual(NOTHING);
      },
    );

    it.each(['run', 'session', 'principal'] as const)('of the %s counts steps and time', async (scope) => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);
      const budgets = { [scope]: { steps: 2, ms: 1000 } };
      const next = async (steps: number, elapsedMs: number) => {
        const granted = await reserved(storage, session, reserve(runId, budgets, { elapsedMs }));
        await appended(storage, session, { writes: [checkpoint(runId, null, { steps, elapsedMs })] });
        return granted;
      };

      expect(await next(1, 400)).toEqual({ maxOutputTokens: 20, ms: 600 });
      expect(await next(1, 999)).toEqual({ maxOutputTokens: 20, ms: 1 });
      expect(await next(1, 1000)).toMatchObject({
        refused: 'budget_exceeded',
        scope,
        kind: 'ms',
        used: 1000,
      });
      const more = reserve(runId, { [scope]: { steps: 2 } }, { elapsedMs: 1000 });
      expect(await reserved(storage, session, more)).toEqual({ maxOutputTokens: 20 });
      await appended(storage, session, { writes: [checkpoint(runId, null, { steps: 2, elapsedMs: 1000 })] });
      expect(await reserved(storage, session, more)).toMatchObject({
        scope,
        kind: 'steps',
        limit: 2,
        used: 2,
      });
    });

    it('says how much of an answer there is room for, by what is left in the tightest', async () => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);
      const without = { inputTokens: 10, price: PRICE };
      const grant = async (budgets: Budgets, call: Reserve['call']) => {
        const granted = await reserved(storage, session, reserve(runId, budgets, { call }));
        await appended(storage, session, { writes: [checkpoint(runId, null)] });
        return granted;
      };

      expect(await grant(ROOM, without)).toEqual({ maxOutputTokens: 90 });
      expect(await grant(ROOM, { ...without, maxOutputTokens: 50 })).toEqual({ maxOutputTokens: 50 });
      expect(await grant({ ...ROOM, session: { cost: 0.31 } }, without)).toEqual({ maxOutputTokens: 30 });
      expect(await grant({ run: { cost: 0.31 } }, { ...without, price: null })).toEqual({});
      expect(await grant({ run: { steps: 1 } }, without)).toEqual({});
      // One call does not take all that is left of a day.
      expect(await grant({ principal: { tokens: 1_000_010 } }, without)).toEqual({
        maxOutputTokens: 100_000,
      });
      expect(await grant({ principal: { tokens: 20_000 } }, without)).toEqual({ maxOutputTokens: 8192 });
      expect(await grant({ session: { tokens: 1_000_010 } }, without)).toEqual({
        maxOutputTokens: 1_000_000,
      });
    });

    it('sets aside until the checkpoint, which frees it and counts what was used', async () => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);

      expect(await reserved(storage, session, reserve(runId, ROOM))).toEqual({ maxOutputTokens: 20 });
      const setAside = { tokens: 30, cost: 0.21, steps: 1, ms: 0 };
      expect((await storage.usageOn(OWNER, DAY))?.reserved).toEqual(setAside);
      expect((await storage.getRun(session, runId))?.reserved).toMatchObject({
        ...setAside,
        inputTokens: 10,
      });
      // Those under way add up.
      expect(await reserved(storage, session, reserve(runId, ROOM))).toEqual({ maxOutputTokens: 20 });
      expect(await reserved(storage, session, reserve(runId, ROOM))).toEqual({ maxOutputTokens: 20 });
      expect(await reserved(storage, session, reserve(runId, ROOM))).toMatchObject({
        scope: 'run',
        used: 90,
      });

      await appended(storage, session, { writes: [checkpoint(runId, used(10, 3), { steps: 1 })] });

      expect((await storage.getRun(session, runId))?.reserved).toBeNull();
      expect(await storage.usageOn(OWNER, DAY)).toMatchObject({
        usage: used(10, 3),
        steps: 1,
        reserved: NOTHING,
      });
    });

    it('of a day counts only for that day, and what was set aside on it is freed on it', async () => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);
      const budgets = { principal: { tokens: 60 } };
      await reserved(storage, session, reserve(runId, budgets));
      await appended(storage, session, {
        writes: [checkpoint(runId, used(10, 40), { steps: 1, at: TOMORROW })],
      });

      expect(await storage.usageOn(OWNER, DAY)).toMatchObject({ usage: used(10, 40), reserved: NOTHING });
      expect(await reserved(storage, session, reserve(runId, budgets))).toMatchObject({ used: 50 });
      await reserved(storage, session, reserve(runId, budgets, { at: TOMORROW }));
      await reserved(storage, session, reserve(runId, budgets, { at: TOMORROW }));
      const third = reserve(runId, budgets, { at: TOMORROW });
      expect(await reserved(storage, session, third)).toMatchObject({ scope: 'principal', used: 60 });
      await appended(storage, session, { writes: [finishRun(runId, { usage: used(10, 40), at: TOMORROW })] });
      expect(await storage.usageOn(OWNER, NEXT_DAY)).toBeNull();
    });

    it('grants time in slices, and what is left of one stays set aside between two calls', async () => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);
      const budgets = { principal: { ms: 200_000 } };

      expect(await reserved(storage, session, reserve(runId, budgets))).toEqual({
        maxOutputTokens: 20,
        ms: 10_000,
      });
      await appended(storage, session, { writes: [checkpoint(runId, null, { steps: 1, elapsedMs: 4000 })] });
      expect(await storage.usageOn(OWNER, DAY)).toMatchObject({
        elapsedMs: 4000,
        reserved: { ...NOTHING, ms: 6000 },
      });
      const more = reserve(runId, budgets, { call: null, elapsedMs: 10_000 });
      expect(await reserved(storage, session, more)).toEqual({ ms: 10_000 });
      expect(await storage.usageOn(OWNER, DAY)).toMatchObject({
        elapsedMs: 10_000,
        reserved: { ...NOTHING, ms: 10_000 },
      });
    });

    it('is fenced, and is of running runs only', async () => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);
      await appended(storage, session, { writes: [releaseRun(runId)] });
      const write = reserve(runId, ROOM);

      expect(await reserved(storage, session, write, 1)).toBe('fenced');
      expect(await reserved(storage, session, write, 2)).toBe('fenced');
      expect(await outcomeOf(storage, session, write)).toBe('run_not_in_state');
      expect(await outcomeOf(storage, session, reserve('nobody', ROOM))).toBe('run_not_in_state');
      expect((await storage.usageOn(OWNER, DAY))?.reserved ?? NOTHING).toEqual(NOTHING);
    });

    it.each([1, 7, 20])('is never passed twice on the same remainder, by %i runs at once', async (count) => {
      const { storage } = data;
      const sessions = await Promise.all(Array.from({ length: count }, () => newSession()));
      const runs = await Promise.all(sessions.map((session) => startedRun(storage, session)));
      const budgets = { principal: { tokens: 100 } };

      const outcomes = await Promise.all(
        sessions.map((session, index) => reserved(storage, session, reserve(runs[index] as string, budgets))),
      );

      expect(
        outcomes.filter((outcome) => typeof outcome === 'object' && !('refused' in outcome)),
      ).toHaveLength(Math.min(count, 3));
      expect((await storage.usageOn(OWNER, DAY))?.reserved.tokens).toBe(30 * Math.min(count, 3));
    });
  });

  describe('what is set aside is free again when the run', () => {
    const budgets = { principal: { tokens: 100, cost: 10, steps: 10, ms: 60_000 } };
    const used2 = { usage: used(10, 2), steps: 1 };

    async function reservedRun() {
      const session = await newSession();
      const runId = await startedRun(data.storage, session);
      await reserved(data.storage, session, reserve(runId, budgets));
      return { session, runId };
    }
    const ofDay = () => data.storage.usageOn(OWNER, DAY);

    it('ends', async () => {
      const { session, runId } = await reservedRun();
      await appended(data.storage, session, { writes: [finishRun(runId, { ...used2, elapsedMs: 9 })] });
      expect(await ofDay()).toEqual({ ...used2, elapsedMs: 9, reserved: NOTHING });
      expect((await data.storage.getRun(session, runId))?.reserved).toBeNull();
    });

    it('is parked', async () => {
      const { session, runId } = await reservedRun();
      await ask(data.storage, session, runId);
      await appended(data.storage, session, { writes: [{ ...parkRun(runId, 9), ...used2 } as Write] });
      expect(await ofDay()).toEqual({ ...used2, elapsedMs: 9, reserved: NOTHING });
    });

    it('is given back', async () => {
      const { session, runId } = await reservedRun();
      await appended(data.storage, session, { writes: [{ ...releaseRun(runId, 9), ...used2 } as Write] });
      expect(await ofDay()).toEqual({ ...used2, elapsedMs: 9, reserved: NOTHING });
    });

    it.skipIf(memoryOnly !== undefined)('is taken over from a dead process (P2)', async () => {
      const { session, runId } = await reservedRun();
      expect((await ofDay())?.reserved).toEqual({ tokens: 30, cost: 0.21, steps: 1, ms: 5000 });

      const storage = await data.restart();

      expect((await storage.orphanedRuns()).map((run) => run.reserved?.tokens)).toEqual([30]);
      await appended(storage, session, { writes: [{ ...recoverRun(runId, 1), ...used2 } as Write] });
      expect(await ofDay()).toEqual({ ...used2, elapsedMs: 0, reserved: NOTHING });
      expect(await sumsOf(session)).toEqual({ ...used2, elapsedMs: 0 });
      expect(await storage.getRun(session, runId)).toMatchObject({
        ...used2,
        reserved: null,
        status: 'queued',
      });
    });

    it('loses its session: then all of it counts as used, so that nobody gets calls for nothing', async () => {
      const { session } = await reservedRun();
      const other = await newSession();
      const quiet = await startedRun(data.storage, other);

      expect(await data.storage.deleteSession(session)).toBe(true);
      expect(await data.storage.deleteSession(session)).toBe(false);
      expect(await data.storage.deleteSession(other)).toBe(true);

      expect(quiet).toBeDefined();
      expect(await ofDay()).toEqual({
        usage: used(10, 20, { cost: 0.21 }),
        steps: 1,
        elapsedMs: 0,
        reserved: NOTHING,
      });
    });
  });

  it('an end that was read before a call was begun is refused (S4)', async () => {
    const { storage } = data;
    const session = await newSession();
    const runId = await startedRun(storage, session);
    await reserved(storage, session, reserve(runId, { run: { tokens: 100 } }));
    const end = (fromCalls: number) => outcomeOf(storage, session, finishRun(runId, { fromCalls }));

    expect(await end(0)).toBe('run_not_in_state');
    expect(await end(2)).toBe('run_not_in_state');
    expect(await end(1)).toBe(true);
  });
}
