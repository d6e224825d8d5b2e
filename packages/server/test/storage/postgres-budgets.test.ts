/** Budgets of a caller whose runs execute in several processes. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  append,
  appended,
  createSession,
  ENGINE,
  fence,
  finishRun,
  OWNER,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import type { PostgresStorage } from '../../src/storage/postgres/storage.ts';
import type { Write } from '../../src/storage/types.ts';
import { openForTest } from './postgres-open.ts';
import { startProxy } from './postgres-proxy.ts';

const DAY = '2026-03-04';
const at = Date.UTC(2026, 2, 4);
const CALL_TOKENS = 30;

let storages: readonly PostgresStorage[];
beforeEach(async () => {
  const { url } = await testDatabase();
  storages = await Promise.all(Array.from({ length: 3 }, () => openForTest(url)));
});
afterEach(async () => {
  for (const storage of storages) await storage.close();
});

const reserve = (runId: string, tokens: number): Write => ({
  kind: 'reserve_budget',
  runId,
  budgets: { principal: { tokens } },
  call: { inputTokens: 10, maxOutputTokens: CALL_TOKENS - 10, price: null },
  elapsedMs: 0,
  at,
});

async function startRuns(count: number) {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const storage = storages[index % storages.length] as PostgresStorage;
      const session = await createSession(storage, { engine: ENGINE });
      return { storage, session, runId: await startedRun(storage, session) };
    }),
  );
}

it('runs of one caller in three processes pass as often as there is room, and no more', async () => {
  const runs = await startRuns(12);

  const outcomes = await Promise.all(
    runs.map(({ storage, session, runId }) =>
      append(storage, session, { fence: fence(runId), writes: [reserve(runId, 5 * CALL_TOKENS + 25)] }),
    ),
  );

  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(5);
  const [storage] = storages;
  expect((await storage?.usageOn(OWNER, DAY))?.reserved.tokens).toBe(5 * CALL_TOKENS);
});

it('calls that are made and settled in three processes at once add up exactly', async () => {
  const runs = await startRuns(9);
  const rounds = 5;
  const usage = (calls: number) => ({ input_tokens: calls, output_tokens: calls, total_tokens: 2 * calls });

  await Promise.all(
    runs.map(async ({ storage, session, runId }) => {
      for (let round = 1; round <= rounds; round++) {
        await appended(storage, session, { fence: fence(runId), writes: [reserve(runId, 1_000_000)] });
        await appended(storage, session, {
          fence: fence(runId),
          writes: [{ kind: 'checkpoint', runId, usage: usage(round), steps: round, elapsedMs: round, at }],
        });
      }
      await appended(storage, session, { writes: [finishRun(runId, { usage: usage(rounds), at })] });
    }),
  );

  const [storage] = storages;
  expect(await storage?.usageOn(OWNER, DAY)).toEqual({
    usage: usage(rounds * runs.length),
    steps: rounds * runs.length,
    elapsedMs: rounds * runs.length,
    reserved: { tokens: 0, cost: 0, steps: 0, ms: 0 },
  });
});

it('what is set aside by a commit whose answer is lost is set aside once', async () => {
  const { url } = await testDatabase();
  const proxy = await startProxy(url);
  const storage = await openForTest(proxy.url);
  const session = await createSession(storage, { engine: ENGINE });
  const runId = await startedRun(storage, session);

  proxy.loseAnswersTo('commit', 1);
  const outcome = await append(storage, session, { fence: fence(runId), writes: [reserve(runId, 100)] });

  expect(proxy.lost).toBe(1);
  expect(outcome).toMatchObject({ ok: true, granted: { maxOutputTokens: 20 } });
  expect((await storage.usageOn(OWNER, DAY))?.reserved.tokens).toBe(CALL_TOKENS);
  expect((await storage.getRun(session, runId))?.reserved?.tokens).toBe(CALL_TOKENS);
  await storage.close();
});
