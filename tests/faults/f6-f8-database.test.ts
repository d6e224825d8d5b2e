/** F6, F8: connections to Postgres are cut again and again, and somebody holds a lock; under a server that streams. */
import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { startModelApp } from '../helpers/model-app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const WORDS = Array.from({ length: 40 }, (_, n) => `word ${n} `);

test('F6: connections that are cut while sessions stream harm no run and no reader (P1, P2, P6)', async () => {
  const { url: databaseUrl, query } = await testDatabase();
  const app = await startModelApp({ config: { databaseUrl, runLease: 30 } });
  const { models, url, wsUrl, createSession } = app;
  const ids = await Promise.all(
    Array.from({ length: 5 }, () => createSession({ engine_type: 'ToolChatEngine' })),
  );
  const sockets = await Promise.all(ids.map((id) => TestSocket.open(wsUrl(id))));
  // Each of many steps of the stream waits for the one before it to be seen, and cuts in between.
  const gates = WORDS.map(() => models.gate());
  models.respond = () => ({ steps: WORDS.flatMap((text, n) => [{ text }, { gate: gates[n] as never }]) });
  const runs = sockets.map((socket) => socket.run('prompt', { prompt: 'Hi' }));

  let cuts = 0;
  for (const gate of gates) {
    await gate.reached;
    const rows = await query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'llmgine' and datname = current_database()`,
    );
    cuts += rows.length;
    expect((await call('GET', `${url}/health/live`)).status).toBe(200);
    gate.release();
  }

  for (const result of await Promise.all(runs)) {
    expect(result).toMatchObject({ status: 'completed', error: null, result: { text: WORDS.join('') } });
  }
  expect(cuts).toBeGreaterThan(5);
  for (const [n, socket] of sockets.entries()) {
    const { events } = (await call('GET', `${url}/api/sessions/${ids[n]}/events?limit=100`)).body;
    expect(events.map(({ seq }: { seq: number }) => seq)).toEqual(
      events.map((_: object, index: number) => index + 1),
    );
    expect(events.slice(-socket.events.length)).toEqual(socket.events);
  }
});

async function startTwo() {
  const { url: databaseUrl, connect } = await testDatabase();
  const config = { databaseUrl, databaseTimeout: 1, runLease: 30 };
  const one = await startModelApp({ config });
  const two = await startApp({ config });
  const create = () => one.createSession({ engine_type: 'ToolChatEngine' });
  const [locked, free] = [await create(), await create()];
  const holder = await connect();
  const lock = async () => {
    await holder.query('begin');
    await holder.query('select from sessions where session_id = $1 for update', [locked]);
  };
  const session = (id: string, { url } = one as { url: string }) => `${url}/api/sessions/${id}`;
  const expectWhole = async (id: string) => {
    const { events } = (await call('GET', `${session(id)}/events?limit=100`)).body;
    expect(events.map(({ seq }: { seq: number }) => seq)).toEqual(
      events.map((_: object, index: number) => index + 1),
    );
    return events as { event_type: string; run_id?: string }[];
  };
  return { one, two, locked, free, session, lock, unlock: () => holder.query('rollback'), expectWhole };
}

const prompt = { command: 'prompt', parameters: { prompt: 'Hi' } };

test('F8, check 29: whoever waits for a lock waits a bounded time; the rest goes on, and so does everything afterwards (P2)', async () => {
  const { one, two, locked, free, session, lock, unlock, expectWhole } = await startTwo();
  one.models.respond = () => ({ steps: [{ text: 'Yes.' }] });
  const socket = await TestSocket.open(one.wsUrl(locked));
  await lock();

  const refused = call('POST', `${session(locked)}/commands`, prompt);
  const overSocket = socket.request('event', { event_type: 'custom:a' });
  for (const server of [one, two]) {
    expect((await call('GET', `${server.url}/health/live`)).status).toBe(200);
    expect((await call('GET', `${session(locked, server)}/messages`)).status).toBe(200);
    expect((await call('GET', session(free, server))).status).toBe(200);
  }
  const elsewhere = await call('POST', `${session(free, two)}/events`, { event_type: 'custom:b' });
  expect(elsewhere.status).toBe(201);

  const { status, headers, body } = await refused;
  expect([status, body.code]).toEqual([503, 'UNAVAILABLE']);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await overSocket).toMatchObject({ type: 'error', data: { code: 'UNAVAILABLE' } });
  expect((await call('POST', `${session(free)}/commands`, prompt)).body.status).toBe('completed');

  await unlock();

  expect((await call('POST', `${session(locked)}/commands`, prompt)).body.status).toBe('completed');
  await expectWhole(locked);
});

test('F8: a run whose session is locked ends once it is free, and the next one works (P1, P6)', async () => {
  const { one, locked, session, lock, unlock, expectWhole } = await startTwo();
  const gate = one.models.gate();
  one.models.script({ steps: [{ text: 'Before ' }, { gate }, { text: 'and after.' }] });
  const socket = await TestSocket.open(one.wsUrl(locked));
  const run = socket.run('prompt', { prompt: 'Hi' });
  await socket.findEvent('text_delta');
  await gate.reached;
  await lock();
  gate.release();
  // As for the run, whose text may have been in the same commit, in the one before it, or comes in the next one.
  expect((await call('POST', `${session(locked)}/events`, { event_type: 'custom:a' })).status).toBe(503);
  expect((await call('GET', `${one.url}/health/live`)).status).toBe(200);

  await unlock();

  const { run_id, status } = await run;
  expect(['completed', 'failed']).toContain(status);
  one.models.script({ steps: [{ text: 'Again.' }] });
  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({ result: { text: 'Again.' } });
  const ends = (await expectWhole(locked)).filter(({ event_type }) => event_type === 'run_finished');
  expect(ends.filter((event) => event.run_id === run_id)).toHaveLength(1);
});
