/** SQLite answers nobody while a statement runs, so what is long is done in slices. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { message, newSession } from '../../../../tests/contracts/storage/fixtures.ts';
import { exportSession } from '../../src/sessions/transfer/export.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';

const ROOM = { maxSessions: 10 };
const later = () => Date.now() + 60_000;

/** A session with so many messages of this size. */
async function longSession(count: number, size: number) {
  const storage = await openSqliteStorage({ path: ':memory:', synchronous: 'normal' });
  onTestFinished(() => storage.close());
  const session = newSession();
  await storage.transfers.begin(session, session.epoch, later());
  const messages = Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    acceptedSeq: index + 1,
    message: message('x'.repeat(size), { message_id: `m${index}` }),
  }));
  await storage.transfers.add(session, messages, later());
  await storage.transfers.complete(session, count, ROOM);
  return { storage, session };
}

/** What the work ends with, and how often others had their turn before. */
async function turnsDuring<Result>(work: Promise<Result>): Promise<{ result: Result; turns: number }> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  let turns = -1;
  while (!isDone) {
    await setImmediate();
    turns++;
  }
  return { result: await done, turns };
}

describe.each([
  ['many messages', 9000, 10],
  ['large messages', 24, 400_000],
])('others have their turn while %s', (_what, count, size) => {
  test('are copied into a fork', async () => {
    const { storage, session } = await longSession(count, size);
    const point = await storage.transfers.forkPoint(session, null);
    if (typeof point === 'string') throw new Error(point);
    const fork = newSession();

    const { result, turns } = await turnsDuring(storage.transfers.fork(session, point, fork, ROOM));

    expect(result).toBe('created');
    expect(turns).toBeGreaterThanOrEqual(4);
    const page = await storage.transfers.conversationPage(fork, { upTo: count, limit: 1, after: null });
    expect(page?.messages[0]?.message_id).toBe('m0');
  });

  test('are searched for one of them', async () => {
    const { storage, session } = await longSession(count, size);

    const first = await turnsDuring(storage.transfers.forkPoint(session, 'm0'));
    const none = await turnsDuring(storage.transfers.forkPoint(session, 'm'));

    expect(first.result).toEqual({ messageId: 'm0', acceptedSeq: 1, headSeq: 1 });
    expect(none.result).toBe('message_not_found');
    expect(Math.min(first.turns, none.turns)).toBeGreaterThanOrEqual(3);
  });

  test('are exported', async () => {
    const { storage, session } = await longSession(count, size);
    const row = await storage.getSession(session);
    if (!row) throw new Error('not there');
    const read = async () => {
      let lines = 0;
      for await (const _line of exportSession(storage, row)) lines++;
      return lines;
    };

    const { result, turns } = await turnsDuring(read());

    expect(result).toBe(count + 2);
    expect(turns).toBeGreaterThanOrEqual(4);
  });
});
