import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describeStorageContract } from '../../../../tests/contracts/storage.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';

describeStorageContract('SQLite file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'llmgine-storage-'));
  const path = join(folder, 'llmgine.db');
  return {
    open: () => openSqliteStorage({ path, synchronous: 'normal' }),
    cleanup: async () => {
      try {
        assertIntact(path);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
});

describeStorageContract(
  'SQLite in memory',
  async () => ({
    open: () => openSqliteStorage({ path: ':memory:', synchronous: 'normal' }),
    cleanup: async () => {},
  }),
  { memoryOnly: 'an in-memory database ends when it is closed' },
);

function assertIntact(path: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare('pragma integrity_check').all();
  database.close();
  if (rows.length !== 1 || rows[0]?.integrity_check !== 'ok') {
    throw new Error(`The database is damaged: ${JSON.stringify(rows)}`);
  }
}
