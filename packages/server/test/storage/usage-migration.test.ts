/** What the runs of an older version have used is in the sums of their sessions. */
import { join } from 'node:path';
import { Kysely, PostgresDialect } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import pg from 'pg';
import { expect, test } from 'vitest';
import { OWNER } from '../../../../tests/contracts/storage/fixtures.ts';
import { emptyDatabase } from '../../../../tests/helpers/postgres.ts';
import { createFirstTables as createPostgresTables } from '../../src/storage/postgres/migrations/0001-sessions.ts';
import { Database } from '../../src/storage/sqlite/database.ts';
import { createFirstTables } from '../../src/storage/sqlite/migrations/0001-sessions.ts';
import { addRequests } from '../../src/storage/sqlite/migrations/0002-requests.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import type { Storage } from '../../src/storage/types.ts';
import { temporaryFolder } from './folder.ts';
import { openForTest } from './postgres-open.ts';

const ROWS = `
  insert into sessions (session_id, tenant_id, owner_id, epoch, head_seq, created_at, last_interaction_at,
    unfinished_runs, engine_id, engine_type, engine_status, engine_config, metadata)
    values ('used', 'tenant', 'owner', 'epoch-1', 6, 500, 500, 0, 'e', 'TestEngine', 'running', '{}', '{}'),
      ('unused', 'tenant', 'owner', 'epoch-1', 6, 500, 500, 0, 'e', 'TestEngine', 'running', '{}', '{}');
  insert into runs (session, run_id, accepted_seq, status, created_at, finished_at, elapsed_ms, usage,
    engine_id, engine_type, command, body_hash, engine_config, parameters, result)
    values (1, 'a', 1, 'completed', 1, 2, 7, '{"input_tokens":1,"output_tokens":2,"total_tokens":3,"cached_input_tokens":1}',
        'e', 'TestEngine', 'prompt', 'h', '{}', '{}', 'null'),
      (1, 'b', 2, 'completed', 1, 2, 5, '{"input_tokens":10,"output_tokens":20,"total_tokens":30}',
        'e', 'TestEngine', 'prompt', 'h', '{}', '{}', 'null'),
      (1, 'c', 3, 'failed', 1, 2, 1, null, 'e', 'TestEngine', 'prompt', 'h', '{}', '{}', 'null'),
      (2, 'a', 1, 'failed', 1, 2, 0, null, 'e', 'TestEngine', 'prompt', 'h', '{}', '{}', 'null');`;

async function migrateTo(db: Kysely<never>, migrations: Record<string, Migration>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  expect((await migrator.migrateToLatest()).error).toBeUndefined();
}

async function oldSqlite(): Promise<Storage> {
  const path = join(await temporaryFolder(), 'llmgine.db');
  const database = new Database({ path, synchronous: 'normal' });
  await migrateTo(database.sql as unknown as Kysely<never>, {
    '0001_sessions': { up: createFirstTables },
    '0002_requests': { up: addRequests },
  });
  database.exec(ROWS);
  database.close();
  return openSqliteStorage({ path, synchronous: 'normal' });
}

async function oldPostgres(): Promise<Storage> {
  const { url, query } = await emptyDatabase();
  const pool = new pg.Pool({ connectionString: url });
  const db = new Kysely<never>({ dialect: new PostgresDialect({ pool }) });
  await migrateTo(db, { '0001_sessions': { up: createPostgresTables } });
  await db.destroy();
  await query(ROWS);
  return openForTest(url);
}

test.each([
  ['SQLite', oldSqlite],
  ['Postgres', oldPostgres],
])('on %s', async (_, open) => {
  const storage = await open();

  expect(await storage.getSession({ ...OWNER, sessionId: 'used' })).toMatchObject({
    usage: { input_tokens: 11, output_tokens: 22, total_tokens: 33, cached_input_tokens: 1 },
    steps: 0,
    elapsedMs: 13,
  });
  expect((await storage.getSession({ ...OWNER, sessionId: 'used' }))?.usage).not.toHaveProperty(
    'reasoning_tokens',
  );
  expect(await storage.getSession({ ...OWNER, sessionId: 'unused' })).toMatchObject({
    usage: null,
    elapsedMs: 0,
  });
  await storage.close();
});
