/** F7, F8 as long as they are in life: minutes, so they are part of `npm run test:chaos` only. */
import { setTimeout as later } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ownServer, testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { check } from './checker.ts';
import { FaultyServer } from './child.ts';
import { finalLog } from './final-log.ts';
import { History } from './history.ts';
import { keepOnFailure } from './keep.ts';
import { chaosRandom, chaosRounds } from './random.ts';
import { ReconnectingClient } from './reconnecting-client.ts';

const IS_LONG = chaosRounds(0) >= 100;
const REASON = 'takes minutes: npm run test:chaos';
const CLIENTS = ['anna', 'ben', 'cleo'];
const OPERATIONS = 1000;

test('F7: Postgres that is restarted every 5 to 20 seconds loses nothing of 1,000 operations (P1, P2, P3)', async (context) => {
  context.skip(!IS_LONG, REASON);
  const [random, history] = [chaosRandom(), new History()];
  const { url, server: postgres } = await ownServer();
  const server = await FaultyServer.start({ LLMGINE_API_DATABASE_URL: url });
  keepOnFailure('restarts of Postgres', random, history, () => ({ server: server.tail }));
  const body = { engine_type: 'ToolChatEngine' };
  const made = history.invoke({ kind: 'create_session', client: 'test', session: null, id: 'session', body });
  const session = (await call('POST', `${server.url}/api/sessions`, body)).body.session_id as string;
  made.ok({ session_id: session });
  const socketUrl = () => `${server.url.replace('http', 'ws')}/api/sessions/${session}/ws`;
  const clients = await Promise.all(
    CLIENTS.map((name) =>
      ReconnectingClient.start({ name, session, url: socketUrl, history, random: random.fork() }),
    ),
  );
  let isOver = false;
  let restarts = 0;
  const restarting = (async () => {
    for (; !isOver; restarts++) {
      await later(random.int(5_000, 20_000));
      await postgres.restart();
    }
  })();

  for (let n = 0; n < OPERATIONS; n++) {
    const client = clients[n % clients.length];
    await client?.publish('custom:note', { n });
    // Spread over the restarts.
    await later(random.int(0, 120));
  }
  isOver = true;
  await restarting;

  expect(restarts).toBeGreaterThan(3);
  const log = await finalLog(server.url, session);
  const head = log.readings.rest?.at(-1)?.seq ?? 0;
  await history.until(() => clients.every(({ seq }) => seq >= head));
  expect(check(history, [log], { caughtUp: CLIENTS })).toEqual([]);
  expect(server.crashes).toEqual([]);
});

test('F8: a lock that is held for 30 seconds makes who needs it wait a bounded time, and nobody else (P2)', async (context) => {
  context.skip(!IS_LONG, REASON);
  const { url: databaseUrl, connect } = await testDatabase();
  const server = await FaultyServer.start({ LLMGINE_API_DATABASE_URL: databaseUrl });
  const create = async () => (await call('POST', `${server.url}/api/sessions`)).body.session_id as string;
  const [locked, free] = [await create(), await create()];
  const publish = (id: string) =>
    call('POST', `${server.url}/api/sessions/${id}/events`, { event_type: 'custom:note', event_id: 'one' });
  const holder = await connect();
  await holder.query('begin');
  await holder.query('select from sessions where session_id = $1 for update', [locked]);
  let isHeld = true;
  const released = holder.query('select pg_sleep(30)').then(async () => {
    await holder.query('commit');
    isHeld = false;
  });

  const answers: { status: number; ms: number }[] = [];
  while (isHeld) {
    const began = performance.now();
    const { status } = await publish(locked);
    answers.push({ status, ms: performance.now() - began });
    expect((await call('GET', `${server.url}/health/live`)).status).toBe(200);
    expect((await call('GET', `${server.url}/api/sessions/${free}`)).status).toBe(200);
  }
  await released;

  const refused = answers.filter(({ status }) => status !== 201);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.every(({ status }) => status === 503)).toBe(true);
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(30_000);
  expect((await publish(locked)).status).toBe(201);
  expect((await publish(free)).status).toBe(201);
  const { events } = (await call('GET', `${server.url}/api/sessions/${locked}/events`)).body;
  expect(events).toHaveLength(1);
});
