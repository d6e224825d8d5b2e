/** The Postgres server of a run: started when it is first asked for, with a fresh database for each subject. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client } from 'pg';

interface Server {
  readonly url: string;
  readonly version: string;
  readonly process: ChildProcess;
}

type Answer = { readonly url: string } | { readonly failure: string };

let server: Promise<Server> | undefined;
let databases = 0;

/** Rejects when Postgres cannot start here. */
export function postgres(): Promise<Server> {
  server ??= start();
  return server;
}

/** The URL of an empty database. */
export async function newDatabase(): Promise<string> {
  const { url } = await postgres();
  databases += 1;
  await query(`${url}/postgres`, `create database bench_${databases}`);
  return `${url}/bench_${databases}`;
}

/** What Postgres does by itself some time after many rows came, and would do in the middle of a measurement. */
export async function tidy(databaseUrl: string): Promise<void> {
  await query(databaseUrl, 'vacuum analyze');
}

/** Does nothing when none was started. */
export async function stopPostgres(): Promise<void> {
  const running = await server?.catch(() => undefined);
  if (running === undefined || running.process.exitCode !== null) return;
  running.process.ref();
  const exited = once(running.process, 'exit');
  running.process.kill('SIGTERM');
  await exited;
}

async function start(): Promise<Server> {
  const child = fork(join(import.meta.dirname, '..', 'postgres-server.ts'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit').then(([code]): Answer => ({ failure: `it ended with ${code}` }));
  const [answer] = (await Promise.race([once(child, 'message'), exited.then((ended) => [ended])])) as [
    Answer,
  ];
  if ('failure' in answer) throw new Error(answer.failure);
  // A bench that fails ends although the server runs; that it is gone stops the server.
  child.unref();
  child.channel?.unref();
  const [row] = await query<{ server_version: string }>(`${answer.url}/postgres`, 'show server_version');
  return { url: answer.url, version: row?.server_version ?? 'unknown', process: child };
}

async function query<Row extends object>(connectionString: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
