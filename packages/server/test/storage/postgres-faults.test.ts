import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import {
  append,
  appended,
  createSession,
  ENGINE,
  event,
  fence,
  NO_LIMIT,
  newSession,
  readLog,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { ownServer, testDatabase } from '../../../../tests/helpers/postgres.ts';
import type { PostgresStorage } from '../../src/storage/postgres/storage.ts';
import type { SessionKey } from '../../src/storage/types.ts';
import { openForTest } from './postgres-open.ts';
import { startProxy } from './postgres-proxy.ts';

const numbered = (n: number) => event('custom:n', { payload: `{"n":${n}}` });

async function numbersOf(storage: PostgresStorage, session: SessionKey): Promise<number[]> {
  const log = await readLog(storage, session);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
  return log.map(({ payload }) => (JSON.parse(payload) as { n: number }).n);
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

it('connections that are cut again and again lose nothing, repeat nothing and stop nobody (F6)', async () => {
  const { url, connect } = await testDatabase();
  const errors: unknown[] = [];
  const storage = await openForTest(url, { onError: (_stage, error) => errors.push(error) });
  const session = await createSession(storage);
  const administrator = await connect();
  const cut = () =>
    administrator.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'llmgine'`);
  let cuts = 0;

  for (let n = 0; n < 500; n++) {
    // Not waited for, so that it hits whatever the append is at: its reads, its writes or its commit.
    const cutting = n % 5 === 0 ? cut() : undefined;
    await appended(storage, session, { events: [numbered(n)] });
    cuts += (await cutting)?.rowCount ?? 0;
  }

  expect(await numbersOf(storage, session)).toEqual(upTo(500));
  expect(cuts).toBeGreaterThan(90);
  // Each of them may end up in a log.
  expect(errors).not.toEqual([]);
  const { password } = new URL(url);
  expect(inspect(errors, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(password);
  await storage.close();
});

it('a server that is restarted again and again loses nothing and repeats nothing (F7)', async () => {
  const { server, url } = await ownServer();
  const storage = await openForTest(url);
  const sessions = [await createSession(storage), await createSession(storage)];
  let restarted = Promise.resolve();
  let renewed = 0;

  for (let n = 0; n < 1000; n++) {
    if (n % 250 === 125) restarted = restarted.then(() => server.restart());
    await storage.append(sessions.map((session) => ({ session, events: [numbered(n)] })));
    if (n % 100 === 0 && (await storage.lease.renew())) renewed++;
  }
  await restarted;

  for (const session of sessions) expect(await numbersOf(storage, session)).toEqual(upTo(1000));
  expect(renewed).toBe(10);
  await storage.close();
});

it('a commit whose answer is lost counts once, and its outcome is the one that was committed', async () => {
  const { url } = await testDatabase();
  const proxy = await startProxy(url);
  const storage = await openForTest(proxy.url);
  const session = await createSession(storage, { engine: ENGINE });
  const runId = await startedRun(storage, session);

  proxy.loseAnswersTo('commit', 1);
  const outcomes = await storage.append([
    { session, fence: fence(runId), events: [event('text_delta', { runId, eventId: 'one' })] },
    { session, events: [event('custom:n', { eventId: 'one' })] },
  ]);
  const after = await append(storage, session, { events: [event()] });

  expect(proxy.lost).toBe(1);
  expect(outcomes).toEqual([
    { ok: true, epoch: 'epoch-1', firstSeq: 3, lastSeq: 3 },
    { ok: false, reason: 'event_exists', epoch: 'epoch-1', seq: 3 },
  ]);
  expect(after).toMatchObject({ ok: true, firstSeq: 4 });
  expect(await readLog(storage, session)).toHaveLength(4);
  await storage.close();
});

it('the place where a lost commit is looked up is there before the first batch: only what is there can be waited for', async () => {
  const { url, query } = await testDatabase();
  const storage = await openForTest(url);

  const rows = await query('select boot, batch from batches');

  expect(rows).toEqual([{ boot: String(storage.boot), batch: '0' }]);
  await storage.close();
});

it('a batch that was given up is not taken for the next one, though it was committed', async () => {
  const { url } = await testDatabase();
  const proxy = await startProxy(url);
  const storage = await openForTest(proxy.url, { timeoutMs: 1000 });
  const session = await createSession(storage);

  // The answer of the try is lost, and after it nobody is reached any more.
  proxy.loseAnswersTo('commit', 1);
  proxy.refuseAfterLoss(true);
  const given = storage.append([{ session, events: [numbered(0)] }]);
  await expect(given).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  proxy.refuseAfterLoss(false);
  const next = await append(storage, session, { events: [numbered(1)] });

  expect(next).toMatchObject({ ok: true, firstSeq: 2 });
  expect(await numbersOf(storage, session)).toEqual([0, 1]);
  await storage.close();
});

it('a lock that somebody holds makes appends wait a bounded time, and nothing else (F8, check 29)', async () => {
  const { url, connect } = await testDatabase();
  const storage = await openForTest(url, { timeoutMs: 1000 });
  const [held, free] = [await createSession(storage), await createSession(storage)];
  const holder = await connect();
  await holder.query('begin');
  await holder.query('select 1 from sessions where session_id = $1 for update', [held.sessionId]);

  const attempt = storage.append([{ session: held, events: [numbered(0)] }]).catch((error: unknown) => error);
  const meanwhile = [
    await storage.check(),
    await storage.lease.renew(),
    (await storage.getSession(held))?.headSeq,
    (await storage.readEvents(free, 0, 10))?.headSeq,
  ];
  const refused = await attempt;
  const still = await append(storage, free, { events: [numbered(0)] });
  await holder.query('rollback');
  const later = await append(storage, held, { events: [numbered(1)] });

  expect(meanwhile).toEqual([undefined, true, 0, 0]);
  expect(refused).toMatchObject({ name: 'ApiError', code: 'UNAVAILABLE', retryAfter: 1 });
  expect([still, later]).toMatchObject([
    { ok: true, firstSeq: 1 },
    { ok: true, firstSeq: 1 },
  ]);
  expect(await numbersOf(storage, held)).toEqual([1]);
  await storage.close();
});

it('a lock that is let go in time is nothing that anybody sees', async () => {
  const { url, connect, query } = await testDatabase();
  const storage = await openForTest(url);
  const session = await createSession(storage);
  const holder = await connect();
  await holder.query('begin');
  await holder.query('select 1 from sessions for update');

  const attempt = append(storage, session, { events: [numbered(0)] });
  await expect
    .poll(() => query(`select 1 from pg_stat_activity where wait_event_type = 'Lock'`))
    .not.toEqual([]);
  await holder.query('rollback');

  expect(await attempt).toMatchObject({ ok: true, firstSeq: 1 });
  await storage.close();
});

it('a server that is not there makes everything unavailable and is used again when it is back', async () => {
  const { server, url } = await ownServer();
  const storage = await openForTest(url, { timeoutMs: 300 });
  const session = await createSession(storage);
  const unavailable = { name: 'ApiError', code: 'UNAVAILABLE' };

  await server.halt();
  await expect(storage.check()).rejects.toMatchObject(unavailable);
  await expect(storage.getSession(session)).rejects.toMatchObject(unavailable);
  await expect(storage.lease.renew()).rejects.toMatchObject(unavailable);
  await expect(storage.append([{ session, events: [numbered(0)] }])).rejects.toMatchObject(unavailable);
  await server.resume();

  await storage.check();
  expect(await storage.lease.renew()).toBe(true);
  await appended(storage, session, { events: [numbered(1)] });
  expect(await numbersOf(storage, session)).toEqual([1]);
  await storage.close();
});

it('a full disk says so, applies nothing, reads on, and works again when there is room', async () => {
  const { url, query } = await testDatabase();
  const storage = await openForTest(url);
  const session = await createSession(storage);
  await appended(storage, session, { events: [numbered(0)] });
  const full = { name: 'ApiError', code: 'STORAGE_FULL' };

  // No disk is filled here: the server says what it says then.
  await query(`create function no_room() returns trigger language plpgsql as
    $$ begin raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$`);
  await query('create trigger no_room before insert on events execute function no_room()');
  const attempt = storage.append([{ session, events: [numbered(1)], touchedAt: 9000 }]);
  await expect(attempt).rejects.toMatchObject(full);
  await expect(storage.createSession(newSession({ events: [event()] }), NO_LIMIT)).rejects.toMatchObject(
    full,
  );

  expect(await numbersOf(storage, session)).toEqual([0]);
  expect((await storage.getSession(session))?.lastInteractionAt).toBe(1000);
  expect(await storage.counts()).toEqual({ sessions: 1, engines: 0 });
  await query('drop function no_room cascade');
  await appended(storage, session, { events: [numbered(2)] });
  expect(await numbersOf(storage, session)).toEqual([0, 2]);
  await storage.close();
});

it('a session whose making was answered by nobody is there once', async () => {
  const { url } = await testDatabase();
  const proxy = await startProxy(url);
  const storage = await openForTest(proxy.url);
  const session = newSession();

  // It is made by one statement, which is its own commit.
  proxy.loseAnswersTo('insert into sessions', 1);
  const made = await storage.createSession(session, NO_LIMIT);

  expect(proxy.lost).toBe(1);
  expect(made).toBe('created');
  expect(await storage.getSession(session)).toMatchObject({ epoch: session.epoch });
  expect(await storage.counts()).toEqual({ sessions: 1, engines: 0 });
  await storage.close();
});

it('callers that wait for a locked row leave the appends of other sessions and the lease alone (F8)', async () => {
  const { url, connect } = await testDatabase();
  const storage = await openForTest(url, { pool: 4 });
  const locked = await createSession(storage);
  const session = await createSession(storage);
  const holder = await connect();
  await holder.query('begin');
  await holder.query('select 1 from sessions where session_id = $1 for update', [locked.sessionId]);
  // More than there are connections.
  const waiting = Array.from({ length: 40 }, () => storage.deleteSession(locked).catch(() => false));
  const observer = await connect();
  await expect
    .poll(async () => {
      const { rows } = await observer.query(`select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`);
      return (rows[0] as { waiting: number }).waiting;
    })
    .toBe(2);

  await appended(storage, session, { events: [numbered(0)] });
  await expect(storage.lease.renew()).resolves.toBe(true);

  await holder.query('rollback');
  expect(await Promise.all(waiting)).toContain(true);
  expect(await numbersOf(storage, session)).toEqual([0]);
  await storage.close();
});
