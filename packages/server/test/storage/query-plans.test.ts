import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  ALL,
  appended,
  createSession,
  ENGINE,
  finishRun,
  INSERT_MESSAGE,
  OWNER,
  queueRun,
  said,
  startedRun,
} from '../../../../tests/contracts/storage/fixtures.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { useAudit } from './audit-use.ts';
import { useBrowserSessions } from './browser-session-use.ts';
import { useFiles } from './file-use.ts';
import { temporaryFolder } from './folder.ts';
import { useKeys } from './key-use.ts';

/** Indices that hold only the few rows that are asked for, so reading one from end to end is what is meant. */
const SMALL_INDICES = ['runs_queued', 'runs_running', 'sessions_deleted'];
/** Read from one end, as far as the limit goes. */
const ORDERED_INDICES = [
  'runs_unfinished',
  'sessions_at_rest',
  'messages_to_compact',
  'requests_due',
  'files_unfinished',
  'usage_days_by_day',
];
/** Made from the few rows of `runs_queued`. */
const SMALL_SORTS = ['queued'];
/** Inside of one row: what a run has asked. */
const SORTS_OF_A_ROW = ['USE TEMP B-TREE FOR json_group_array(ORDER BY)'];

let statements: Set<string>;

/** Every statement that is prepared, by whatever part of the storage: nobody keeps a list of queries by hand. */
beforeEach(() => {
  statements = new Set();
  const prepare = DatabaseSync.prototype.prepare;
  vi.spyOn(DatabaseSync.prototype, 'prepare').mockImplementation(function (this: DatabaseSync, sql, ...rest) {
    statements.add(sql);
    return prepare.call(this, sql, ...rest);
  });
});
afterEach(() => vi.restoreAllMocks());

it('no query reads a whole table or sorts what an index has in order', async () => {
  const path = join(await temporaryFolder(), 'llmgine.db');
  const setUp = await openSqliteStorage({ path, synchronous: 'normal' });
  await setUp.close();
  statements.clear();
  const storage = await openSqliteStorage({ path, synchronous: 'normal' });
  const session = await createSession(storage, { engine: ENGINE, metadata: { a: 1, b: 2 } });
  const runId = await startedRun(storage, session);
  await queueRun(storage, session);
  await appended(storage, session, {
    fence: { runId, attempt: 1 },
    events: [said('hi', { runId, eventId: 'one' })],
    writes: [{ kind: 'open_message', runId, eventIndex: 0 }, INSERT_MESSAGE, finishRun(runId)],
    touchedAt: 9000,
  });
  const page = { limit: 10, before: 100 };
  for (const status of [undefined, 'idle', 'running', 'failed'] as const) {
    for (const metadata of [undefined, { a: '1' }, { a: '1', b: '2', c: '3' }]) {
      for (const position of [{}, { before: 100 }, { offset: 10 }]) {
        await storage.listSessions(OWNER, {
          ...ALL,
          ...position,
          expiredBefore: 10,
          ...(status === undefined ? {} : { status }),
          ...(metadata === undefined ? {} : { metadata }),
        });
      }
    }
  }
  await storage.readMessages(session, page);
  await storage.listRuns(session, { limit: 10 });
  await storage.listRuns(session, { ...page, status: 'failed' });
  for (const pending of [undefined, true, false]) {
    for (const position of [{}, { before: 100 }]) {
      await storage.listRequests(session, {
        limit: 10,
        ...position,
        ...(pending === undefined ? {} : { pending }),
      });
    }
  }
  await storage.runEvents(session, runId, ['message_completed', 'tool_result']);
  await storage.countQueuedRuns();
  await storage.nextRun(session);
  await storage.countUnfinishedRuns(session, 100);
  await storage.unfinishedRunIds(session);
  await storage.unfinishedRuns({ limit: 10 });
  await storage.unfinishedRuns({ limit: 10, tenantId: 'tenant', before: { session: 100, acceptedSeq: 1 } });
  await storage.unfinishedRuns({ limit: 10, status: 'running' });
  await storage.waitingRuns({ limit: 10 });
  await storage.waitingRuns({ limit: 10, tenantId: 'tenant', before: { session: 100, acceptedSeq: 1 } });
  await useFiles(storage, session);
  await useAudit(storage);
  await useKeys(storage);
  await useBrowserSessions(storage);
  await storage.purge(1);
  await storage.close();

  const database = new DatabaseSync(path);
  const queries = [...statements].filter(
    (sql) => /^\s*(select|insert|update|delete)\b/i.test(sql) && !/kysely|sqlite_master|pragma/i.test(sql),
  );
  const findings = queries.flatMap((sql) =>
    database
      .prepare(`explain query plan ${sql}`)
      .all()
      .map(({ detail }) => String(detail))
      .filter((detail) => !isGood(detail, sql))
      .map((detail) => `${detail}: ${sql}`),
  );
  database.close();

  expect(findings).toEqual([]);
  // As many as there are shapes of queries; should it fall, this test has lost sight of them.
  expect(queries.length).toBeGreaterThan(100);
});

function isGood(detail: string, sql: string): boolean {
  if (SORTS_OF_A_ROW.includes(detail)) return true;
  if (detail.startsWith('USE TEMP B-TREE')) return SMALL_SORTS.some((name) => sql.includes(`"${name}"`));
  if (!detail.startsWith('SCAN')) return true;
  const index = / USING (?:COVERING )?INDEX (\w+)/.exec(detail)?.[1];
  if (index === undefined) return /^SCAN (queued|rows|CONSTANT ROW)$/.test(detail);
  return SMALL_INDICES.includes(index) || (ORDERED_INDICES.includes(index) && / limit [?1]$/.test(sql));
}
