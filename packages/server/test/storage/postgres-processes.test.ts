import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  appended,
  createSession,
  ENGINE,
  event,
  fence,
  outcomeOf,
  queueRun,
  readLog,
  recoverRun,
  startedRun,
  startRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { type TestDatabase, testDatabase } from '../../../../tests/helpers/postgres.ts';
import type { PostgresStorage } from '../../src/storage/postgres/storage.ts';
import { openForTest } from './postgres-open.ts';

let database: TestDatabase;
let one: PostgresStorage;
let two: PostgresStorage;

beforeEach(async () => {
  database = await testDatabase();
  [one, two] = [await openForTest(database.url), await openForTest(database.url)];
});
afterEach(async () => {
  await one.close();
  await two.close();
});

/** As if it had not renewed its lease in time. */
const runOut = ({ boot }: PostgresStorage) =>
  database.query(`update processes set expires_at = now() - interval '1 second' where boot = $1`, [boot]);

describe('a lease', () => {
  it('is renewed as long as it has not run out, under the same boot number', async () => {
    const { boot } = one;
    await database.query(`update processes set expires_at = now() + interval '1 minute'`);

    expect(await two.lease.renew()).toBe(true);
    expect(await one.lease.renew()).toBe(true);

    expect(one.boot).toBe(boot);
    expect(two.boot).not.toBe(boot);
    const rows = await database.query(
      `select boot from processes where expires_at between now() + interval '10 s' and now() + interval '16 s'`,
    );
    expect(rows).toHaveLength(2);
  });

  it('that has run out fences the runs of its process, which others take over and go on with', async () => {
    const session = await createSession(one, { engine: ENGINE });
    const runId = await startedRun(one, session);
    const waiting = await queueRun(one, session);
    const delta = { fence: fence(runId), events: [event('text_delta', { runId })] };
    await appended(one, session, delta);
    expect(await two.orphanedRuns()).toEqual([]);
    expect(await outcomeOf(two, session, recoverRun(runId, 1))).toBe('run_not_in_state');

    await runOut(one);

    expect(await append(one, session, delta)).toEqual({ ok: false, reason: 'fenced' });
    expect(await outcomeOf(one, session, startRun(waiting))).toBe('fenced');
    // What needs no lease goes on.
    await appended(one, session, { events: [event()] });
    expect((await two.orphanedRuns()).map((run) => run.runId)).toEqual([runId, waiting]);
    await appended(two, session, { writes: [recoverRun(runId, 1), recoverRun(waiting, 0)] });
    expect(await two.orphanedRuns()).toEqual([]);
    expect(await two.sessionsWithQueuedRuns()).toEqual([session]);
    await appended(two, session, { writes: [startRun(runId, 2)] });
    await appended(two, session, { fence: fence(runId, 2), events: [event('text_delta', { runId })] });
    expect(await append(one, session, delta)).toEqual({ ok: false, reason: 'fenced' });
  });

  it('that has run out gives way to another under a new boot number, even when nobody took over', async () => {
    const session = await createSession(one, { engine: ENGINE });
    const runId = await startedRun(one, session);
    const before = one.boot;
    await runOut(one);

    expect(await one.lease.renew()).toBe(false);

    expect(one.boot).toBeGreaterThan(before);
    expect(one.boot).not.toBe(two.boot);
    expect(await append(one, session, { fence: fence(runId), events: [event()] })).toEqual({
      ok: false,
      reason: 'fenced',
    });
    expect((await one.orphanedRuns()).map((run) => run.runId)).toEqual([runId]);
    await appended(one, session, { writes: [recoverRun(runId, 1), startRun(runId, 2)] });
    await appended(one, session, { fence: fence(runId, 2), events: [event()] });
    expect(await one.lease.renew()).toBe(true);
  });

  it('ends with the storage, so that others take over at once', async () => {
    const session = await createSession(one, { engine: ENGINE });
    const runId = await startedRun(one, session);

    await one.close();

    expect((await two.orphanedRuns()).map((run) => run.runId)).toEqual([runId]);
    expect(await database.query('select boot from processes union select boot from batches')).toEqual([
      { boot: String(two.boot) },
    ]);
  });
});

it('both append to one session at once, without a gap and without losing order', async () => {
  const sessions = [await createSession(one), await createSession(one)];
  const write = async (storage: PostgresStorage, name: string) => {
    const events = (index: number) => [event('custom:n', { payload: JSON.stringify({ name, index }) })];
    for (let index = 0; index < 50; index++) {
      // In different orders, which must not make them wait for each other.
      const order = name === 'one' ? sessions : sessions.toReversed();
      const outcomes = await storage.append(order.map((session) => ({ session, events: events(index) })));
      expect(outcomes.map(({ ok }) => ok)).toEqual([true, true]);
    }
  };

  await Promise.all([write(one, 'one'), write(two, 'two')]);

  for (const session of sessions) {
    const log = await readLog(two, session);
    expect(log.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    const written = log.map(({ payload }) => JSON.parse(payload) as { name: string; index: number });
    for (const name of ['one', 'two']) {
      const own = written.filter((row) => row.name === name).map(({ index }) => index);
      expect(own).toEqual(Array.from({ length: 50 }, (_, index) => index));
    }
  }
});

it('both keep one answer to one key, whoever is first', async () => {
  const [session, other] = [await createSession(one), await createSession(two)];
  const idempotency = {
    tenantId: 'tenant',
    ownerId: 'owner',
    idempotencyKey: 'key',
    bodyHash: 'hash',
    response: '{}',
    createdAt: 1,
  };

  for (let index = 0; index < 20; index++) {
    const record = { ...idempotency, idempotencyKey: `key ${index}` };
    const outcomes = await Promise.all([
      append(one, session, { events: [event()], idempotency: record }),
      append(two, other, { events: [event()], idempotency: record }),
    ]);
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
    expect(outcomes).toContainEqual({ ok: false, reason: 'idempotency_exists' });
  }
  expect((await readLog(one, session)).length + (await readLog(one, other)).length).toBe(20);
});

it('together make at most as many sessions as they may', async () => {
  const make = async (storage: PostgresStorage, index: number) =>
    storage.createSession(
      {
        tenantId: 'tenant',
        ownerId: 'owner',
        sessionId: `${storage.boot}-${index}`,
        epoch: 'e',
        name: null,
        metadata: {},
        createdAt: 1,
        engine: ENGINE,
        events: [],
      },
      10,
    );

  const made = await Promise.all(
    Array.from({ length: 30 }, (_, index) => make(index % 2 ? one : two, index)),
  );

  expect(made.filter((outcome) => outcome === 'created')).toHaveLength(10);
  expect(await one.counts()).toEqual({ sessions: 10, engines: 10 });
});
