import type { Usage } from '@llmgine/protocol';
import { describe, expect, it } from 'vitest';
import { plus } from '../../../packages/server/src/storage/budget.ts';
import type {
  Amounts,
  Budgets,
  RunRow,
  SessionKey,
  Write,
} from '../../../packages/server/src/storage/types.ts';
import { addUsage } from '../../../packages/server/src/storage/usage.ts';
import { Random } from '../../faults/random.ts';
import {
  append,
  appended,
  createSession,
  ENGINE,
  event,
  fence,
  finishRun,
  type OpenFresh,
  OWNER,
  outcomeOf,
  queueRun,
  releaseRun,
  startedRun,
  startRun,
  useStorage,
} from './fixtures.ts';
import { AT, checkpoint, DAY, NEXT_DAY, NOTHING, reserve, used } from './usage-fixtures.ts';

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

export function describeUsage(openFresh: OpenFresh): void {
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

  it('of old days is removed, in slices of at most the limit, and nothing else (S6)', async () => {
    const { storage } = data;
    const owners = ['one', 'two', 'three'];
    const days = [DAY, NEXT_DAY, '2026-03-06'];
    expect(await storage.oldestUsage()).toBeNull();
    for (const ownerId of owners) {
      const session = await newSession(ownerId);
      const runId = await startedRun(storage, session);
      for (const [index, day] of days.entries()) {
        const at = Date.parse(day) + 1;
        await appended(storage, session, {
          writes: [checkpoint(runId, used(index + 1, 0), { steps: index + 1, at })],
        });
      }
    }
    const kept = async () => {
      const found: string[] = [];
      for (const ownerId of owners) {
        for (const day of days) if (await storage.usageOn({ ...OWNER, ownerId }, day)) found.push(day);
      }
      return found.toSorted();
    };

    expect(await storage.pruneUsage(DAY, 10)).toBe(false);
    expect(await storage.pruneUsage(NEXT_DAY, 2)).toBe(true);
    expect(await kept()).toEqual([DAY, ...days.slice(1).flatMap((day) => owners.map(() => day))]);
    expect(await storage.oldestUsage()).toBe(DAY);
    expect(await storage.pruneUsage('2026-03-06', 2)).toBe(true);
    expect(await storage.pruneUsage('2026-03-06', 2)).toBe(false);

    expect(await kept()).toEqual(owners.map(() => '2026-03-06'));
    expect(await storage.oldestUsage()).toBe('2026-03-06');
  });
}
