import type { Usage } from '@llmgine/protocol';
import { describe, expect, it } from 'vitest';
import { plus } from '../../../packages/server/src/storage/budget.ts';
import type {
  Amounts,
  Budgets,
  RunRow,
  SessionKey,
  Storage,
  Write,
} from '../../../packages/server/src/storage/types.ts';
import { addUsage } from '../../../packages/server/src/storage/usage.ts';
import { Random } from '../../faults/random.ts';
import {
  append,
  appended,
  ask,
  createSession,
  ENGINE,
  event,
  fence,
  finishRun,
  type OpenFresh,
  OWNER,
  outcomeOf,
  parkRun,
  queueRun,
  recoverRun,
  releaseRun,
  startedRun,
  startRun,
  useStorage,
} from './fixtures.ts';

const DAY = '2026-03-04';
const AT = Date.UTC(2026, 2, 4, 12);
const NEXT_DAY = '2026-03-05';
const TOMORROW = AT + 86_400_000;
const NOTHING = { tokens: 0, cost: 0, steps: 0, ms: 0 };
const PRICE = { input: 0.001, output: 0.01 };

const used = (input: number, output: number, extra: Partial<Usage> = {}): Usage => ({
  input_tokens: input,
  output_tokens: output,
  total_tokens: input + output,
  ...extra,
});

type Checkpoint = Extract<Write, { kind: 'checkpoint' }>;
const checkpoint = (runId: string, usage: Usage | null, values: Partial<Checkpoint> = {}): Write => ({
  kind: 'checkpoint',
  runId,
  usage,
  elapsedMs: 0,
  at: AT,
  ...values,
});

type Reserve = Extract<Write, { kind: 'reserve_budget' }>;
const reserve = (runId: string, budgets: Budgets, values: Partial<Reserve> = {}): Reserve => ({
  kind: 'reserve_budget',
  runId,
  budgets,
  call: { inputTokens: 10, maxOutputTokens: 20, price: PRICE },
  elapsedMs: 0,
  at: AT,
  ...values,
});

/** What the storage answers to a fenced reservation: what is granted, or where there is no room. */
async function reserved(storage: Storage, session: SessionKey, write: Reserve, attempt = 1) {
  const outcome = await append(storage, session, { fence: fence(write.runId, attempt), writes: [write] });
  if (outcome.ok) return outcome.granted;
  return outcome.exceeded ? { refused: outcome.reason, ...outcome.exceeded } : outcome.reason;
}

/** What a running run may do next. It never uses more than it has set aside. */
function randomMove(
  random: Random,
  runId: string,
  budgets: Budgets,
): { readonly writes: readonly Write[]; readonly ends: boolean } {
  const asks = reserve(runId, budgets, { call: { inputTokens: 2, maxOutputTokens: 18, price: null } });
  const step = random.int(1, 8);
  // Totals are of the run, which the storage alone knows, so each run has one step at most.
  const use = { usage: used(2, step, { cost: step / 1e7 }), steps: 1, elapsedMs: step };
  switch (random.int(0, 4)) {
    case 0:
      return { writes: [asks], ends: false };
    case 1:
      return { writes: [asks, checkpoint(runId, use.usage, use)], ends: false };
    case 2:
      return { writes: [asks, finishRun(runId, { ...use, at: AT })], ends: true };
    case 3:
      return { writes: [finishRun(runId, { usage: null, steps: 0, at: AT })], ends: true };
    default:
      return { writes: [asks, releaseRun(runId, step), startRun(runId, 7)], ends: false };
  }
}

function totalOf(runs: readonly RunRow[]) {
  return {
    usage: runs.reduce<Usage | null>((sum, { usage }) => addUsage(sum, usage), null),
    steps: runs.reduce((sum, { steps }) => sum + steps, 0),
    elapsedMs: runs.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0),
  };
}

function reservedBy(runs: readonly RunRow[]): Amounts {
  return plus(
    ...runs.flatMap(({ reserved }) => (reserved === null || reserved.day === null ? [] : [reserved])),
  );
}

/** `memoryOnly`: why the data does not outlive `close`. */
export function describeUsage(openFresh: OpenFresh, memoryOnly: string | undefined): void {
  const data = useStorage(openFresh);
  const newSession = (ownerId: string = OWNER.ownerId) =>
    createSession(data.storage, { engine: ENGINE, ownerId });
  const sumsOf = async (session: SessionKey) => {
    const row = await data.storage.getSession(session);
    return row && { usage: row.usage, steps: row.steps, elapsedMs: row.elapsedMs };
  };

  describe('sums (S3)', () => {
    it('of a session and of its owner grow by what each checkpoint and each end adds', async () => {
      const { storage } = data;
      const session = await newSession();
      const first = await startedRun(storage, session);
      await appended(storage, session, {
        fence: fence(first),
        writes: [checkpoint(first, used(10, 5, { cost: 0.1 }), { steps: 1, elapsedMs: 100 })],
      });
      await appended(storage, session, {
        fence: fence(first),
        writes: [
          checkpoint(first, used(30, 7, { cost: 0.3, cached_input_tokens: 4 }), { steps: 2, elapsedMs: 150 }),
        ],
      });
      await appended(storage, session, {
        writes: [
          finishRun(first, {
            usage: used(31, 8, { cost: 0.3, cached_input_tokens: 4 }),
            steps: 3,
            elapsedMs: 200,
            at: AT,
          }),
        ],
      });
      const second = await startedRun(storage, session);
      await appended(storage, session, {
        writes: [
          finishRun(second, { usage: used(1, 1, { reasoning_tokens: 1 }), steps: 1, elapsedMs: 7, at: AT }),
        ],
      });

      const usage = used(32, 9, { cost: 0.3, cached_input_tokens: 4, reasoning_tokens: 1 });
      const sums = { usage, steps: 4, elapsedMs: 207 };
      expect(await sumsOf(session)).toEqual(sums);
      expect(
        (await storage.listSessions(OWNER, { limit: 1, idleBefore: 0, expiredBefore: null })).sessions,
      ).toMatchObject([sums]);
      expect(await storage.usageOn(OWNER, DAY)).toEqual({ ...sums, reserved: NOTHING });
      expect(await storage.getRun(session, first)).toMatchObject({ steps: 3, elapsedMs: 200 });
    });

    it('of an owner span sessions, and are apart by day in UTC, by owner and by tenant', async () => {
      const { storage } = data;
      const mine = [await newSession(), await newSession(), await newSession()];
      const other = await newSession('other');
      const elsewhere = await createSession(storage, { engine: ENGINE, tenantId: 'elsewhere' });
      const midnight = Date.UTC(2026, 2, 5);
      const times = [AT, midnight - 1, midnight, AT, AT];
      for (const [index, session] of [...mine, other, elsewhere].entries()) {
        const runId = await startedRun(storage, session);
        const at = times[index] as number;
        await appended(storage, session, {
          writes: [checkpoint(runId, used(1, 10 ** index), { steps: 1, at })],
        });
      }

      const outputOn = async (scope: typeof OWNER | SessionKey, day: string) =>
        (await storage.usageOn(scope, day))?.usage.output_tokens;
      expect(await outputOn(OWNER, DAY)).toBe(11);
      expect(await outputOn(OWNER, NEXT_DAY)).toBe(100);
      expect(await outputOn(other, DAY)).toBe(1000);
      expect(await outputOn(elsewhere, DAY)).toBe(10_000);
      expect(await storage.usageOn(OWNER, '2026-03-06')).toBeNull();
    });

    it('of very small costs do not drift', async () => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);
      for (let step = 1; step <= 30; step++) {
        const cost = Number((step * 0.0000001).toFixed(10));
        await appended(storage, session, {
          writes: [checkpoint(runId, used(step, 0, { cost }), { steps: step })],
        });
      }

      expect((await sumsOf(session))?.usage?.cost).toBe(0.000003);
      expect((await storage.usageOn(OWNER, DAY))?.usage.cost).toBe(0.000003);
    });

    it('stay as they are when the append is refused, after the write or before it (S4)', async () => {
      const { storage } = data;
      const session = await newSession();
      const runId = await startedRun(storage, session);
      const spent = checkpoint(runId, used(5, 5), { steps: 1, elapsedMs: 5 });
      const asks = reserve(runId, { principal: { tokens: 1000 } });
      const before = [await sumsOf(session), await storage.getRun(session, runId)];

      expect(await outcomeOf(storage, session, spent, asks, startRun(runId, 7))).toBe('run_not_in_state');
      expect(await outcomeOf(storage, session, startRun(runId, 7), spent)).toBe('run_not_in_state');
      const fenced = await append(storage, session, { fence: fence(runId, 2), writes: [spent, asks] });
      expect(fenced).toMatchObject({ ok: false, reason: 'fenced' });

      expect([await sumsOf(session), await storage.getRun(session, runId)]).toEqual(before);
      expect(await storage.usageOn(OWNER, DAY)).toBeNull();
    });

    it('add up over many runs of many sessions in one batch, with refused ones among them', async () => {
      const { storage } = data;
      const sessions = await Promise.all(Array.from({ length: 6 }, () => newSession()));
      const runs = await Promise.all(sessions.map((session) => startedRun(storage, session)));
      const outcomes = await storage.append(
        sessions.flatMap((session, index) => {
          const runId = runs[index] as string;
          const budgets = { principal: { steps: 100 } };
          return [
            { session, events: [], writes: [reserve(runId, budgets)] },
            { session, events: [], writes: [checkpoint(runId, used(index, 1), { steps: 1 })] },
            { session, events: [], writes: [reserve(runId, budgets), startRun(runId, 9)] },
            { session, events: [], writes: [reserve(runId, budgets)] },
            { session, events: [], writes: [finishRun(runId, { usage: used(index, 2), steps: 2, at: AT })] },
          ];
        }),
      );

      expect(outcomes.map(({ ok }) => ok)).toEqual(sessions.flatMap(() => [true, true, false, true, true]));
      expect(await storage.usageOn(OWNER, DAY)).toEqual({
        usage: used(15, 12),
        steps: 12,
        elapsedMs: 0,
        reserved: NOTHING,
      });
      for (const [index, session] of sessions.entries()) {
        expect(await sumsOf(session)).toEqual({ usage: used(index, 2), steps: 2, elapsedMs: 0 });
      }
    });
  });

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

  it.each([1, 2, 3, 4])('whatever runs do, everything adds up (random order %i)', async (seed) => {
    const { storage } = data;
    const random = new Random(seed);
    const owners = ['one', 'two'];
    const places = await Promise.all(
      [0, 1, 2, 3, 4, 5].map(async (index) => {
        const session = await newSession(owners[index % 2]);
        return { session, runs: [await startedRun(storage, session)] };
      }),
    );
    const budgets: Budgets = { run: { tokens: 500 }, principal: { tokens: 900, steps: 40, ms: 100_000 } };

    for (let round = 0; round < 25; round++) {
      const batch = places
        .filter(() => random.chance(0.7))
        .map((place) => ({ place, next: randomMove(random, place.runs.at(-1) as string, budgets) }));
      const outcomes = await storage.append(
        batch.map(({ place: { session }, next: { writes } }) => ({ session, events: [], writes })),
      );
      for (const [index, { place, next }] of batch.entries()) {
        if (next.ends && outcomes[index]?.ok) place.runs.push(await startedRun(storage, place.session));
      }
    }

    for (const [parity, ownerId] of owners.entries()) {
      const mine = places.filter((_, index) => index % 2 === parity);
      const runs = (
        await Promise.all(
          mine.flatMap(({ session, runs }) => runs.map((runId) => storage.getRun(session, runId))),
        )
      ).filter((run) => run !== null);
      for (const { session } of mine) {
        const own = runs.filter(({ sessionId }) => sessionId === session.sessionId);
        expect(await sumsOf(session)).toEqual(totalOf(own));
      }
      const day = await storage.usageOn({ ...OWNER, ownerId }, DAY);
      const { usage, steps, elapsedMs } = totalOf(runs);
      expect(day).toEqual({ usage: usage ?? used(0, 0), steps, elapsedMs, reserved: reservedBy(runs) });
      expect((day?.usage.total_tokens ?? 0) + (day?.reserved.tokens ?? 0)).toBeLessThanOrEqual(900);
    }
  });

  it('an end that was read before another step has finished is refused (S4)', async () => {
    const { storage } = data;
    const session = await newSession();
    const runId = await startedRun(storage, session);
    await appended(storage, session, { writes: [checkpoint(runId, used(1, 1), { steps: 1 })] });
    const end = (fromSteps: number) =>
      outcomeOf(storage, session, finishRun(runId, { usage: used(1, 1), steps: 1, fromSteps }));

    expect(await end(0)).toBe('run_not_in_state');
    expect(await end(1)).toBe(true);
  });

  it('an end that was read before another message was begun, or completed, is refused (S4)', async () => {
    const { storage } = data;
    const session = await newSession();
    const runId = await startedRun(storage, session);
    const opened = await appended(storage, session, {
      fence: fence(runId),
      events: [event('message_started', { runId })],
      writes: [{ kind: 'open_message', runId, eventIndex: 0 }],
    });
    const end = (fromOpenSeq: number | null) =>
      outcomeOf(storage, session, finishRun(runId, { fromOpenSeq }));

    expect(await end(null)).toBe('run_not_in_state');
    expect(await end(opened.firstSeq + 1)).toBe('run_not_in_state');
    expect(await end(opened.firstSeq)).toBe(true);
  });

  it('a run that has not used anything leaves no trace in the sums', async () => {
    const { storage } = data;
    const session = await newSession();
    const runId = await queueRun(storage, session);
    await appended(storage, session, {
      events: [event('run_finished', { runId })],
      writes: [finishRun(runId, { from: ['queued'], status: 'cancelled', at: AT })],
    });

    expect(await sumsOf(session)).toEqual({ usage: null, steps: 0, elapsedMs: 0 });
    expect(await storage.usageOn(OWNER, DAY)).toBeNull();
  });
}
