import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSession } from '../../../../tests/contracts/storage/fixtures.ts';
import { emptyDatabase, testDatabase } from '../../../../tests/helpers/postgres.ts';
import { StorageOpenError } from '../../src/storage/errors.ts';
import { openStorage } from '../../src/storage/open.ts';
import { MIGRATION_LOCK } from '../../src/storage/postgres/migrations.ts';
import { openForTest } from './postgres-open.ts';

const CONFIG = {
  dataDir: 'unused',
  sqliteSynchronous: 'normal',
  databasePool: 2,
  databaseTimeout: 5,
  runLease: 3,
} as const;

it.for(['postgres:', 'postgresql:'])('is what a %s URL names, configured by the settings', async (scheme) => {
  const { url, query } = await testDatabase();
  const { host, pathname } = new URL(url);
  const databaseUrl = url.replace(/^postgres(ql)?:/, scheme);

  const storage = await openStorage({ ...CONFIG, databaseUrl });

  expect(storage.description).toBe(`postgres ${host}${pathname}`);
  expect(storage.lease?.ttlMs).toBe(3000);
  const connections = await query(
    `select pid from pg_stat_activity where datname = current_database() and application_name = 'llmgine'`,
  );
  expect(connections.length).toBeGreaterThan(0);
  await storage.close();
  await expect
    .poll(() =>
      query(
        `select pid from pg_stat_activity where datname = current_database() and application_name = 'llmgine'`,
      ),
    )
    .toEqual([]);
});

it('takes at most as many connections as it may', async () => {
  const { url, query } = await testDatabase();
  const storage = await openForTest(url, { pool: 3 });

  await Promise.all(Array.from({ length: 30 }, () => createSession(storage)));

  expect(await storage.counts()).toEqual({ sessions: 30, engines: 0 });
  const [row] = await query(
    `select count(*)::int as connections from pg_stat_activity
      where datname = current_database() and application_name = 'llmgine'`,
  );
  expect(row?.connections).toBeLessThanOrEqual(3);
  await storage.close();
});

it('is made by one of the processes that start at once, and used by all', async () => {
  const { url } = await emptyDatabase();

  const storages = await Promise.all([1, 2, 3, 4].map(() => openForTest(url, { pool: 2 })));

  expect(new Set(storages.map(({ boot }) => boot)).size).toBe(4);
  for (const storage of storages) await createSession(storage);
  expect(await storages[0]?.counts()).toEqual({ sessions: 4, engines: 0 });
  await Promise.all(storages.map((storage) => storage.close()));
});

it('waits while another process makes its tables, for longer than for anything else', async () => {
  const { url, connect, query } = await emptyDatabase();
  const other = await connect();
  await other.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);

  const opening = openForTest(url, { pool: 2, timeoutMs: 1000 });
  const waitsLong = `select pid from pg_stat_activity
    where wait_event = 'advisory' and clock_timestamp() - query_start > interval '2300 milliseconds'`;
  await expect.poll(() => query(waitsLong)).toHaveLength(1);
  await other.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);

  const storage = await opening;
  await createSession(storage);
  await storage.close();
});

describe('what cannot be opened is said in one line, without who reads it', () => {
  async function refusal(databaseUrl: string, settings = {}): Promise<string> {
    const opening = openStorage({ ...CONFIG, ...settings, databaseUrl });
    const error: unknown = await opening.then(
      (storage) => storage.close(),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StorageOpenError);
    const { message } = error as StorageOpenError;
    const { username, password, host, pathname } = new URL(databaseUrl);
    expect(message).not.toContain(password);
    expect(message).not.toContain(`${username}:`);
    expect(message).not.toContain('\n');
    const beginning = `The data in postgres ${host}${pathname} cannot be opened: `;
    expect(message.slice(0, beginning.length)).toBe(beginning);
    return message.slice(beginning.length);
  }

  async function urlWith(change: (url: URL) => void): Promise<string> {
    const url = new URL((await emptyDatabase()).url);
    change(url);
    return url.href;
  }

  it('a wrong password, and a user that is not there', async () => {
    const password = await urlWith((url) => {
      url.password = 'wrong-battery';
    });
    const user = await urlWith((url) => {
      url.username = 'nobody-here';
    });

    expect(await refusal(password)).toBe('wrong user or password');
    expect(await refusal(user)).toBe('wrong user or password');
  });

  it('a URL that is none', async () => {
    const opening = openStorage({ ...CONFIG, databaseUrl: 'postgres://me:secret-word@host:port/db' });

    const error: unknown = await opening.catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(StorageOpenError);
    expect(inspect(error, { depth: 10 })).not.toContain('secret-word');
  });

  it('a database that is not there', async () => {
    const url = await urlWith((one) => {
      one.pathname = '/elsewhere';
    });

    expect(await refusal(url)).toBe('there is no such database');
  });

  it('a server that is not there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');

    expect(await refusal(`postgres://me:secret-word@127.0.0.1:${port}/db`)).toMatch(
      /^it cannot be reached: .*ECONNREFUSED/,
    );
  });

  it('a server that never answers', async () => {
    const server = createServer(() => {}).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.close();
    });
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const url = `postgres://me:secret-word@127.0.0.1:${port}/db`;

    expect(await refusal(url, { databaseTimeout: 0.2 })).toMatch(/^it cannot be reached: .*timeout/);
  });

  it('data that a newer version has written, which stays as it is', async () => {
    const { url, query } = await emptyDatabase();
    await (await openForTest(url)).close();
    const names = 'select name from kysely_migration order by name';
    const before = await query(names);
    await query(`insert into kysely_migration (name, timestamp) values ('9999_future', 'later')`);

    expect(await refusal(url)).toBe('it was written by a newer version of LLMgine');

    expect(await query(names)).toEqual([...before, { name: '9999_future' }]);
    expect(await query('select boot from processes')).toEqual([]);
  });

  it('a user that may not make tables', async () => {
    const { url, query } = await emptyDatabase();
    await query('revoke create on schema public from public');
    const name = new URL(url).pathname.slice(1);
    await query(`create role ${name} login password 'a-reader'`);
    onTestFinished(() => query(`drop role ${name}`).then(() => {}));
    const reader = new URL(url);
    reader.username = name;
    reader.password = 'a-reader';

    expect(await refusal(reader.href)).toBe('the user may not create tables in it');
  });
});
