import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { temporaryFolder } from './folder.ts';
import { startProgram } from './process.ts';

const SESSION = { tenantId: 'tenant', ownerId: 'owner', sessionId: '00000000-0000-4000-8000-000000000001' };

it.for([1, 5, 50, 500])('what was acknowledged survives kill -9 after %i appends', async (appends) => {
  const path = join(await temporaryFolder(), 'llmgine.db');
  const program = startProgram('append', path);
  expect(await program.line()).toBe('open 1');
  let acknowledged = 0;
  while (acknowledged < appends) acknowledged = Number(await program.line());

  await program.kill();
  for (let line = await program.line(); line !== undefined; line = await program.line())
    acknowledged = Number(line);
  const storage = await openSqliteStorage({ path, synchronous: 'normal' });
  const page = await storage.readEvents(SESSION, 0, 1_000_000);
  await storage.close();

  // It may have died between a commit and telling of it.
  expect([acknowledged, acknowledged + 1]).toContain(page?.headSeq);
  expect(page?.events.map(({ seq }) => seq)).toEqual(page?.events.map((_, index) => index + 1));
  expect(page?.events).toHaveLength(page?.headSeq ?? -1);
  const database = new DatabaseSync(path);
  expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  database.close();
});
