import { join } from 'node:path';
import { Migrator } from 'kysely/migration';
import { expect, it } from 'vitest';
import {
  appended,
  event,
  fence,
  finishRun,
  OWNER,
  readLog,
  recoverRun,
  startRun,
  textsOf,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { Database } from '../../src/storage/sqlite/database.ts';
import { createFirstTables } from '../../src/storage/sqlite/migrations/0001-sessions.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { temporaryFolder } from './folder.ts';

const SESSION = { ...OWNER, sessionId: 's' };
const MESSAGE = '{"message_id":"m","role":"user","run_id":"old","parts":[{"type":"text","text":"hi"}]}';

/** A data file as the version before left it: a run that was running, and one that was queued. */
async function writeFirstVersion(path: string): Promise<void> {
  const database = new Database({ path, synchronous: 'normal' });
  const migrations = { '0001_sessions': { up: createFirstTables } };
  const migrator = new Migrator({ db: database.sql, provider: { getMigrations: async () => migrations } });
  expect((await migrator.migrateToLatest()).error).toBeUndefined();
  database.exec(`
    update meta set value = 7 where key = 'boot';
    update meta set value = 1 where key in ('sessions', 'engines');
    insert into owners values ('tenant', 'owner', 1);
    insert into sessions (session_id, tenant_id, owner_id, epoch, head_seq, created_at, last_interaction_at,
      unfinished_runs, engine_id, engine_type, engine_status, engine_config, metadata)
      values ('s', 'tenant', 'owner', 'epoch-1', 6, 500, 500, 2, 'e', 'TestEngine', 'running', '{}', '{}');
    insert into events values (1, 1, 'custom:note', null, '{}', 1000), (1, 2, 'run_queued', 'old', '{}', 2000),
      (1, 3, 'message_started', 'old', '{}', 3000), (1, 4, 'text_delta', 'old', '{}', 3000),
      (1, 5, 'message_completed', 'old', '${MESSAGE}', 3000), (1, 6, 'run_queued', 'next', '{}', 3000);
    insert into messages (session, seq, accepted_seq, message) values (1, 5, 2, '${MESSAGE}');
    insert into runs (session, run_id, accepted_seq, status, boot, open_seq, created_at, started_at,
      engine_id, engine_type, command, body_hash, engine_config, parameters, result)
      values (1, 'old', 2, 'running', 7, null, 2000, 2500, 'e', 'TestEngine', 'prompt', 'h', '{}', '{}', 'null'),
        (1, 'next', 6, 'queued', null, null, 3000, null, 'e', 'TestEngine', 'prompt', 'h', '{}', '{}', 'null');
  `);
  database.close();
}

it('data of the version before is opened, its runs go on, and its events are pruned (P2)', async () => {
  const path = join(await temporaryFolder(), 'llmgine.db');
  await writeFirstVersion(path);

  const storage = await openSqliteStorage({ path, synchronous: 'normal' });

  expect(storage.boot).toBe(8);
  expect(await readLog(storage, SESSION)).toHaveLength(6);
  expect(textsOf(await storage.conversation(SESSION, 10))).toEqual(['hi']);
  expect((await storage.orphanedRuns()).map(({ runId, attempt }) => [runId, attempt])).toEqual([
    ['old', 1],
    ['next', 0],
  ]);
  await appended(storage, SESSION, { writes: [recoverRun('old', 1), recoverRun('next', 0)] });
  await appended(storage, SESSION, { writes: [startRun('old', 2)] });
  await appended(storage, SESSION, { fence: fence('old', 2), events: [event()], writes: [finishRun('old')] });
  expect(await storage.getRun(SESSION, 'old')).toMatchObject({
    status: 'completed',
    startedAt: 2500,
    elapsedMs: 0,
    recoveries: 1,
  });

  // Nobody was told that the message stands for its delta, so that one stays.
  expect([await storage.nextCompaction(), await storage.nextPrune()]).toEqual([null, 1000]);
  expect(await storage.pruneEvents(10_000, 100)).toBe(false);
  expect(await storage.readEvents(SESSION, 0, 10)).toMatchObject({ floorSeq: 5, events: [{ seq: 6 }, {}] });
  await storage.close();
});
