/** F6, F8: connections to Postgres are cut again and again, and somebody holds a lock; under a server that streams. */
import { expect, test } from 'vitest';
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
    expect(result).toMatchObject({ status: 'completed', result: { text: WORDS.join('') } });
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

test('F8: whoever waits for a lock waits a bounded time; the rest goes on, and so does everything afterwards (P2)', async () => {
  const { url: databaseUrl, connect } = await testDatabase();
  const { models, url, wsUrl, createSession } = await startModelApp({
    config: { databaseUrl, databaseTimeout: 1, runLease: 30 },
  });
  models.respond = () => ({ steps: [{ text: 'Yes.' }] });
  const [locked, free] = [
    await createSession({ engine_type: 'ToolChatEngine' }),
    await createSession({ engine_type: 'ToolChatEngine' }),
  ];
  const session = (id: string) => `${url}/api/sessions/${id}`;
  const prompt = { command: 'prompt', parameters: { prompt: 'Hi' } };
  const socket = await TestSocket.open(wsUrl(locked));
  const holder = await connect();
  await holder.query('begin');
  await holder.query('select from sessions where session_id = $1 for update', [locked]);

  const refused = call('POST', `${session(locked)}/commands`, prompt);
  const overSocket = socket.request('event', { event_type: 'custom:a' });
  expect((await call('GET', `${url}/health/live`)).status).toBe(200);
  expect((await call('GET', `${session(locked)}/messages`)).status).toBe(200);
  expect((await call('GET', session(free))).status).toBe(200);

  const { status, headers, body } = await refused;
  expect([status, body.code]).toEqual([503, 'UNAVAILABLE']);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await overSocket).toMatchObject({ type: 'error', data: { code: 'UNAVAILABLE' } });
  expect((await call('POST', `${session(free)}/commands`, prompt)).body.status).toBe('completed');

  await holder.query('rollback');

  expect((await call('POST', `${session(locked)}/commands`, prompt)).body.status).toBe('completed');
  const { body: log } = await call('GET', `${session(locked)}/events`);
  expect(log.events.map(({ seq }: { seq: number }) => seq)).toEqual(
    log.events.map((_: object, index: number) => index + 1),
  );
});
