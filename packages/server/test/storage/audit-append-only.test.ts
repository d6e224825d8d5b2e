/** Nobody changes the audit log by mistake, and it can be read beside the server that writes it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import { sealDraft } from '../../src/security/audit/chain.ts';
import { type Draft, draftOf } from '../../src/security/audit/draft.ts';
import { verifyLog } from '../../src/security/audit/verify.ts';
import { openAuditReader } from '../../src/storage/open-audit.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { temporaryFolder } from './folder.ts';
import { openForTest } from './postgres-open.ts';
import { startProxy } from './postgres-proxy.ts';

const drafts = (count: number): Draft[] =>
  Array.from({ length: count }, () =>
    draftOf(
      {
        action: 'auth.refused',
        outcome: 'refused',
        source: { address: '192.0.2.1', transport: 'rest', requestId: null },
      },
      (text) => text,
      1000,
    ),
  );

const CONFIG = {
  dataDir: 'unused',
  sqliteSynchronous: 'normal',
  databasePool: 2,
  databaseTimeout: 5,
  runLease: 3,
} as const;

const CHANGES = [
  `update audit_log set entry = '{}' where number = 1`,
  'delete from audit_log where number = 2',
  'delete from audit_head',
  `update audit_head set number = 1, hash = 'other'`,
];

it.each([
  ...CHANGES,
  `insert or replace into audit_log select number, id, at, action, principal_id, '{}', hash from audit_log where number = 1`,
  `insert or replace into audit_log select 3, id, at, action, principal_id, '{}', hash from audit_log where number = 1`,
])('SQLite refuses to change the log (check 38): %s', async (change) => {
  const path = join(await temporaryFolder(), 'db');
  const storage = await openSqliteStorage({ path, synchronous: 'normal' });
  await storage.audit.append(drafts(2), sealDraft);
  await storage.close();

  const other = new DatabaseSync(path);
  expect(() => other.exec(change)).toThrow('append-only');
  other.close();

  const reader = await openAuditReader({ ...CONFIG, databaseUrl: path });
  expect(await verifyLog(reader)).toMatchObject({ ok: true, head: { number: 2 } });
  await reader.close();
});

it.each([...CHANGES, 'truncate audit_log', 'truncate audit_head'])(
  'Postgres refuses to change the log (check 38): %s',
  async (change) => {
    const { url, query } = await testDatabase();
    const storage = await openForTest(url);
    await storage.audit.append(drafts(2), sealDraft);

    await expect(query(change)).rejects.toThrow('append-only');

    expect(await verifyLog(storage.audit)).toMatchObject({ ok: true, head: { number: 2 } });
    await storage.close();
  },
);

it('processes that share Postgres append to one chain (check 38)', async () => {
  const { url } = await testDatabase();
  const storages = await Promise.all([1, 2, 3].map(() => openForTest(url, { pool: 4 })));

  await Promise.all(
    storages.flatMap(({ audit }) => Array.from({ length: 15 }, () => audit.append(drafts(4), sealDraft))),
  );

  const [storage] = storages;
  expect(storage && (await verifyLog(storage.audit))).toMatchObject({ ok: true, head: { number: 180 } });
  for (const one of storages) await one.close();
});

it('an entry whose commit was not answered is there once', async () => {
  const { url } = await testDatabase();
  const proxy = await startProxy(url);
  const storage = await openForTest(proxy.url);

  proxy.loseAnswersTo('commit', 1);
  await storage.audit.append(drafts(2), sealDraft);

  expect(proxy.lost).toBe(1);
  expect(await verifyLog(storage.audit)).toMatchObject({ ok: true, head: { number: 2 } });
  await storage.close();
});

it('a process that stops while it holds the head does not stop the others for good', async () => {
  const { url, connect } = await testDatabase();
  const storage = await openForTest(url, { timeoutMs: 1000 });
  await storage.audit.append(drafts(1), sealDraft);
  const stopped = await connect();
  await stopped.query('begin');
  await stopped.query('select number from audit_head for update');

  await expect(storage.audit.append(drafts(1), sealDraft)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await stopped.query('rollback');

  expect(await storage.audit.append(drafts(1), sealDraft)).toMatchObject({ number: 2 });
  await storage.close();
});

it('SQLite is read beside the storage that writes it, and writes nothing', async () => {
  const path = join(await temporaryFolder(), 'db');
  const storage = await openSqliteStorage({ path, synchronous: 'normal' });
  await storage.audit.append(drafts(3), sealDraft);

  const reader = await openAuditReader({ ...CONFIG, databaseUrl: `sqlite:${path}` });
  await storage.audit.append(drafts(700), sealDraft);

  expect(await verifyLog(reader)).toMatchObject({ ok: true, head: { number: 703 } });
  await reader.close();
  await storage.close();
});

it('what is not there to be read is said in one line', async () => {
  const folder = await temporaryFolder();

  const missing = openAuditReader({ ...CONFIG, dataDir: folder });
  await expect(missing).rejects.toThrow(`There is no data in ${join(folder, 'llmgine.db')}`);
  await expect(openAuditReader({ ...CONFIG, databaseUrl: ':memory:' })).rejects.toThrow('in memory');
  new DatabaseSync(join(folder, 'llmgine.db')).exec('create table other (a)');
  await expect(openAuditReader({ ...CONFIG, dataDir: folder })).rejects.toThrow('no such table: audit_head');
});
