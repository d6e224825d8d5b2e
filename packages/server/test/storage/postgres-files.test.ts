import { expect, it } from 'vitest';
import { createSession } from '../../../../tests/contracts/storage/fixtures.ts';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import { openForTest } from './postgres-open.ts';
import { startProxy } from './postgres-proxy.ts';

const LIMITS = { maxFiles: 100, maxBytes: 1_000_000 };
const FILE = { fileId: 'file', room: 100, createdAt: 1000 };
const piece = (start: number) => ({ start, bytes: Uint8Array.of(start % 256), writtenAt: 1000 });

it('a piece whose answer is lost is there once', async () => {
  const { url, query } = await testDatabase();
  const proxy = await startProxy(url);
  const storage = await openForTest(proxy.url);
  const session = await createSession(storage);
  await storage.files.begin(session, FILE, LIMITS);

  proxy.loseAnswersTo('file_pieces', 2);
  const written = [
    await storage.files.write(session, 'file', piece(0)),
    await storage.files.write(session, 'file', piece(1)),
  ];

  expect(proxy.lost).toBe(2);
  expect(written).toEqual([true, true]);
  expect(await query('select start from file_pieces order by start')).toEqual([
    { start: '0' },
    { start: '1' },
  ]);
  await storage.close();
});

it.each(['is deleted', 'is left alone for too long'])(
  'a file whose session %s while another process writes it leaves no piece behind',
  async (how) => {
    const { url, query } = await testDatabase();
    const [writer, remover] = [await openForTest(url), await openForTest(url)];
    const purge = async () => {
      while (how === 'is deleted' ? await remover.purge(3) : await remover.files.purge(2000, 3));
    };
    for (let round = 0; round < 20; round++) {
      const session = await createSession(writer);
      await writer.files.begin(session, FILE, LIMITS);
      let isStopped = false;
      const writing = (async () => {
        for (let start = 0; await writer.files.write(session, 'file', piece(start)); ) start++;
        isStopped = true;
      })();
      if (how === 'is deleted') await remover.deleteSession(session);
      // What a writer holds at the moment is skipped.
      do await purge();
      while (!isStopped);
      await writing;
      await purge();
    }

    expect(await query('select 1 from file_pieces')).toEqual([]);
    expect(await query('select 1 from files')).toEqual([]);
    await Promise.all([writer.close(), remover.close()]);
  },
);
