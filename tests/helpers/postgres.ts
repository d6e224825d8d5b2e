/**
 * Postgres for tests: one server a test file, started when the first test asks for it, and a database of its own for
 * each test. `LLMGINE_TEST_DATABASE_URL` names a server that is there already; the tests make their databases on it.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, onTestFinished } from 'vitest';
import { Database } from '../../packages/server/src/storage/postgres/database.ts';
import { migrate } from '../../packages/server/src/storage/postgres/migrations.ts';
import { PostgresServer } from './postgres-server.ts';

export interface TestDatabase {
  readonly url: string;
  /** What somebody else does on it. */
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** A connection of somebody else, which can hold locks; it ends with the test at the latest. */
  connect(): Promise<pg.Client>;
}

let server: Promise<PostgresServer> | null = null;
/** Those that tests have done with: emptying one takes a fraction of the time that making one takes. */
const used: string[] = [];

afterAll(async () => {
  const started = await server;
  if (!started) return;
  for (const name of used) await dropDatabase(started.url, name);
  await started.stop();
});

/** A database with the tables and nothing in them, for this test alone. */
export async function testDatabase(): Promise<TestDatabase> {
  const { url: serverUrl } = await sharedServer();
  const again = used.pop();
  const name = again ?? (await createDatabase(serverUrl));
  onTestFinished(() => {
    used.push(name);
  });
  const url = withDatabase(serverUrl, name);
  await (again === undefined ? makeTables(url) : empty(url));
  return access(url);
}

/** One without any table. */
export async function emptyDatabase(): Promise<TestDatabase> {
  const { url: serverUrl } = await sharedServer();
  const name = await createDatabase(serverUrl);
  onTestFinished(() => dropDatabase(serverUrl, name));
  return access(withDatabase(serverUrl, name));
}

/** A server of this test alone, to be restarted, with an empty database. Never the configured one. */
export async function ownServer(): Promise<TestDatabase & { readonly server: PostgresServer }> {
  const own = await PostgresServer.start();
  onTestFinished(() => own.stop());
  const name = await createDatabase(own.url);
  return { server: own, ...access(withDatabase(own.url, name)) };
}

function sharedServer(): Promise<PostgresServer> {
  const configured = process.env.LLMGINE_TEST_DATABASE_URL;
  server ??= configured === undefined ? PostgresServer.start() : PostgresServer.configured(configured);
  return server;
}

function access(url: string): TestDatabase {
  return {
    url,
    query: (sql, values) => query(url, sql, values),
    connect: async () => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => {});
      await client.connect();
      onTestFinished(() => client.end());
      return client;
    },
  };
}

async function makeTables(url: string): Promise<void> {
  const database = new Database({ url, pool: 2, timeoutMs: 30_000, onError: () => {} });
  await migrate(database.sql);
  await database.close();
}

async function empty(url: string): Promise<void> {
  await query(
    url,
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`,
  );
  const [row] = await query(
    url,
    `select string_agg(quote_ident(tablename), ', ') as tables from pg_tables
      where schemaname = current_schema() and tablename not in ('kysely_migration', 'kysely_migration_lock', 'meta')`,
  );
  // In one message, so in one transaction.
  await query(
    url,
    `alter table audit_log disable trigger user; alter table audit_head disable trigger user;
      truncate ${String(row?.tables)} restart identity;
      alter table audit_log enable trigger user; alter table audit_head enable trigger user`,
  );
  await query(url, 'update meta set value = 0');
}

async function createDatabase(serverUrl: string): Promise<string> {
  const name = `llmgine_test_${randomUUID().replaceAll('-', '')}`;
  await query(serverUrl, `create database ${name}`);
  return name;
}

async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  await query(serverUrl, `drop database if exists ${name} with (force)`);
}

async function query(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql, [...values]);
    return rows;
  } finally {
    await client.end();
  }
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
