import { expect, it, onTestFinished } from 'vitest';
import {
  appended,
  message,
  NO_LIMIT,
  newSession,
  OWNER,
  said,
  textsOf,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import { openForTest } from './postgres-open.ts';
import { startProxy } from './postgres-proxy.ts';

it('a fork or an import whose commit was answered by nobody is there once, with its record', async () => {
  const proxy = await startProxy((await testDatabase()).url);
  const storage = await openForTest(proxy.url);
  onTestFinished(() => storage.close());
  const parent = newSession();
  await storage.createSession(parent, NO_LIMIT);
  await appended(storage, parent, {
    events: [said('hi')],
    writes: [{ kind: 'insert_message', eventIndex: 0 }],
  });
  const point = await storage.transfers.forkPoint(parent, null);
  if (typeof point === 'string') throw new Error(point);
  const [fork, imported] = [newSession({ epoch: 'fork' }), newSession({ epoch: 'import' })];
  const keepUntil = Date.now() + 60_000;
  await storage.transfers.begin(imported, imported.epoch, keepUntil);
  await storage.transfers.add(
    imported,
    [{ seq: 1, acceptedSeq: 1, message: message('imported') }],
    keepUntil,
  );
  const record = (idempotencyKey: string) => ({
    ...OWNER,
    idempotencyKey,
    bodyHash: 'hash',
    response: '{}',
    createdAt: 1000,
  });
  const room = { maxSessions: NO_LIMIT };

  proxy.loseAnswersTo('commit', 1);
  const forked = await storage.transfers.fork(parent, point, fork, room, record('fork'));
  proxy.loseAnswersTo('commit', 1);
  const completed = await storage.transfers.complete(imported, 1, room, record('import'));

  expect([forked, completed, proxy.lost]).toEqual(['created', 'created', 2]);
  expect((await storage.counts()).sessions).toBe(3);
  for (const [session, text] of [
    [fork, 'hi'],
    [imported, 'imported'],
  ] as const) {
    expect(textsOf((await storage.readMessages(session, { limit: 10 }))?.messages ?? [])).toEqual([text]);
    expect(await storage.getIdempotency(OWNER, session.epoch)).not.toBeNull();
  }
});
