/**
 * Measures what sessions, runs and events cost on disk, on both storages, and writes docs/operations/storage.md's table to
 * standard output: `npm run footprint`. Real servers in this process, the demo model, one run after the other.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { APIConfig, type App, createApp } from '@llmgine/api';
import pg from 'pg';
import { PostgresServer } from '../tests/helpers/postgres-server.ts';

const SESSIONS = 5000;
/** Sessions that talk at once; each run streams a word every 15 ms, and each word is an event. */
const TALKING = 50;
const RUNS = 2;
const WORDS = 200;
const EVENTS = 20_000;

interface Store {
  readonly name: string;
  readonly databaseUrl: string;
  /** Bytes that the data needs, without what is free for reuse. Only while no server uses it. */
  size(): Promise<number>;
}

async function withApp<Result>(store: Store, work: (app: App) => Promise<Result>): Promise<Result> {
  const config = new APIConfig(
    {
      databaseUrl: store.databaseUrl,
      host: '127.0.0.1',
      port: 0,
      maxSessions: 1_000_000,
      model: 'demo:demo',
      logLevel: 'silent',
      eventCompaction: 365 * 86_400,
    },
    { env: {} },
  );
  const app = await createApp({ config });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

async function post(app: App, url: string, body: object): Promise<Record<string, unknown>> {
  const response = await app.inject({ method: 'POST', url, payload: body });
  if (response.statusCode >= 300) throw new Error(`${response.statusCode} ${response.body}`);
  return response.json();
}

const session = async (app: App) =>
  String((await post(app, '/api/sessions', { engine_type: 'SinglePassEngine' })).session_id);

async function talk(app: App, id: string): Promise<void> {
  for (let n = 0; n < RUNS; n++) {
    await post(app, `/api/sessions/${id}/commands`, {
      command: 'prompt',
      parameters: { prompt: `Write ${WORDS} words, for the ${n}th time` },
    });
  }
}

async function compact(app: App): Promise<void> {
  while (await app.services.storage.compactEvents(Date.now() + 1, 10_000)) {}
}

async function publish(app: App, id: string): Promise<void> {
  for (let n = 0; n < EVENTS; n += 100) {
    const some = Array.from({ length: 100 }, (_, index) =>
      post(app, `/api/sessions/${id}/events`, { event_type: 'custom:note', payload: { n: n + index } }),
    );
    await Promise.all(some);
  }
}

/** How much the data grows by what is done; a server is started and stopped around it. */
async function growth(store: Store, work: (app: App) => Promise<unknown>): Promise<number> {
  const before = await store.size();
  await withApp(store, work);
  return (await store.size()) - before;
}

async function measure(store: Store): Promise<Map<string, string>> {
  await withApp(store, async () => {});
  const rows = new Map<string, string>();
  const sessions = await growth(store, async (app) => {
    for (let n = 0; n < SESSIONS; n++) await session(app);
  });
  rows.set('a session with an engine', bytes(sessions / SESSIONS));
  const ids = await withApp(store, (app) => Promise.all(Array.from({ length: TALKING }, () => session(app))));
  const all = (app: App) => Promise.all(ids.map((id) => talk(app, id)));
  const runs = TALKING * RUNS;
  const first = await growth(store, all);
  rows.set(`a run that streamed ${WORDS} words, each an event`, bytes(first / runs));
  const second = await growth(store, all);
  rows.set('the same again, later in the same sessions', bytes(second / runs));
  const compacted = await growth(store, compact);
  rows.set('the same after compaction, a minute later', bytes((first + second + compacted) / (2 * runs)));
  const [id = ''] = ids;
  const events = await growth(store, (app) => publish(app, id));
  rows.set('a small custom event', bytes(events / EVENTS));
  return rows;
}

const bytes = (value: number) => `${Math.round(value).toLocaleString('en-GB')} B`;

const folder = await mkdtemp(join(tmpdir(), 'llmgine-footprint-'));
const postgres = await PostgresServer.start();
try {
  const path = join(folder, 'llmgine.db');
  const stores: Store[] = [
    {
      name: 'SQLite',
      databaseUrl: `sqlite:${path}`,
      async size() {
        const database = new DatabaseSync(path, { readOnly: true });
        const value = (name: string) =>
          Number(Object.values(database.prepare(`pragma ${name}`).get() ?? {})[0]);
        const used = (value('page_count') - value('freelist_count')) * value('page_size');
        database.close();
        return used;
      },
    },
    {
      name: 'Postgres',
      databaseUrl: postgres.url,
      async size() {
        const client = new pg.Client({ connectionString: postgres.url });
        await client.connect();
        await client.query('vacuum full');
        const { rows } = await client.query('select pg_database_size(current_database()) as size');
        await client.end();
        return Number(rows[0].size);
      },
    },
  ];
  const results = [];
  for (const store of stores) {
    console.error(`measuring ${store.name} …`);
    results.push(await measure(store));
  }
  console.log(
    `| what | ${stores.map(({ name }) => name).join(' | ')} |\n|---|${'---:|'.repeat(stores.length)}`,
  );
  for (const what of results[0]?.keys() ?? []) {
    console.log(`| ${what} | ${results.map((rows) => rows.get(what)).join(' | ')} |`);
  }
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
