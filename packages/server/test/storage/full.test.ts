import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import {
  append,
  createSession,
  event,
  newSession,
  readLog,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { Database } from '../../src/storage/sqlite/database.ts';
import { startSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { temporaryFolder } from './folder.ts';

it('a full storage says so, applies nothing, reads on, and works again when there is room', async () => {
  const path = join(await temporaryFolder(), 'llmgine.db');
  const database = new Database({ path, synchronous: 'normal' });
  const storage = await startSqliteStorage(database, {
    description: path,
    lock: null,
    reserve: null,
    onError: () => {},
  });
  const [first, second] = [await createSession(storage), await createSession(storage)];
  const large = event('custom:large', { payload: JSON.stringify({ text: 'x'.repeat(20_000) }) });
  const full = { name: 'ApiError', code: 'STORAGE_FULL' };

  database.exec('pragma max_page_count = 60');
  let filled = 0;
  let failure: unknown;
  while (failure === undefined && filled < 100) {
    await append(storage, first, { events: [large] }).then(
      () => filled++,
      (error: unknown) => {
        failure = error;
      },
    );
  }
  const batch = storage.append([
    { session: second, events: [event()], touchedAt: 9000 },
    { session: first, events: [large, large] },
  ]);

  expect(failure).toMatchObject(full);
  await expect(batch).rejects.toMatchObject(full);
  await expect(
    storage.createSession(newSession({ metadata: { text: 'x'.repeat(50_000) } }), 100),
  ).rejects.toMatchObject(full);
  expect(await readLog(storage, first)).toHaveLength(filled);
  expect(await readLog(storage, second)).toEqual([]);
  expect((await storage.getSession(second))?.lastInteractionAt).toBe(1000);
  expect(await storage.counts()).toEqual({ sessions: 2, engines: 0 });

  database.exec('pragma max_page_count = 100000');
  expect(await append(storage, first, { events: [large, large] })).toMatchObject({
    ok: true,
    firstSeq: filled + 1,
  });
  expect(await append(storage, second, { events: [event()] })).toMatchObject({ ok: true, firstSeq: 1 });
  await storage.close();
  const reader = new DatabaseSync(path);
  expect(reader.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  reader.close();
});
