import { expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';

test('check 29 (ASVS 13.2.6): when every connection waits, callers are told so in bounded time and nobody else waits', async () => {
  const { url: databaseUrl, connect } = await testDatabase();
  const { url, createSession } = await startApp({
    config: {
      databaseUrl,
      databasePool: 2,
      databaseTimeout: 0.5,
      requestRate: 1_000_000,
      addressRate: 1_000_000,
    },
  });
  const session = `${url}/api/sessions/${await createSession()}`;
  const locker = await connect();
  await locker.query('begin');
  await locker.query('lock table sessions in access exclusive mode');

  const waiting = Array.from({ length: 200 }, () => call('GET', session));
  const writing = Array.from({ length: 50 }, () =>
    call('POST', `${session}/events`, { event_type: 'custom:a' }),
  );
  for (let round = 0; round < 20; round++) expect((await call('GET', `${url}/health/live`)).status).toBe(200);
  const answers = await Promise.all([...waiting, ...writing]);

  for (const { status, body, headers } of answers) {
    expect([status, body.code]).toEqual([503, 'UNAVAILABLE']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  await locker.query('rollback');
  await expect.poll(async () => (await call('GET', session)).status).toBe(200);
  expect((await call('POST', `${session}/events`, { event_type: 'custom:a' })).status).toBe(201);
});
