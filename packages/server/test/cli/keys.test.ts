/** `llmgine keys` as people meet it: processes beside a running server, and on data that nobody has open. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { startServer } from '../../../../tests/helpers/child-server.ts';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import { call } from '../../../../tests/helpers/rest.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const KEY = /^llmgine_key_[0-9A-Za-z]{12}_[0-9A-Za-z]{28}\n$/;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
type Data = Record<string, string>;

async function keys(data: Data, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--conditions=@llmgine/source', MAIN, 'keys', ...args], {
    cwd: await tempDir(),
    env: { PATH: process.env.PATH, ...data },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, stdout, stderr };
}

async function create(data: Data, ...args: string[]): Promise<{ key: string; id: string; stderr: string }> {
  const { code, stdout, stderr } = await keys(data, 'create', '--name', 'CI', ...args);
  expect(stderr).toMatch(/^key_/);
  expect(code).toBe(0);
  expect(stdout).toMatch(KEY);
  const key = stdout.trim();
  return { key, id: key.slice('llmgine_'.length, -29), stderr };
}

async function list(data: Data): Promise<Record<string, unknown>[]> {
  const { code, stdout } = await keys(data, 'list', '--json');
  expect(code).toBe(0);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const DATA: readonly (readonly [string, () => Promise<Data>])[] = [
  ['SQLite', async () => ({ LLMGINE_API_DATA_DIR: await tempDir() })],
  ['Postgres', async () => ({ LLMGINE_API_DATABASE_URL: (await testDatabase()).url })],
];

describe.each(DATA)('on %s', (_name, makeData) => {
  test('a key is made before the first start, and lets in who has it', async () => {
    const data = await makeData();
    const { key, id, stderr } = await create(data, '--role', 'viewer', '--expires', '90d');
    const server = await startServer({ ...data, LLMGINE_API_AUTH: 'required' });
    const sessions = `${server.url}/api/sessions`;

    expect(stderr).toContain(`${id} "CI": role viewer, principal user_`);
    expect(stderr).not.toContain(key);
    expect((await call('GET', sessions, undefined, { 'x-api-key': key })).status).toBe(200);
    expect((await call('GET', sessions)).status).toBe(401);
    expect(server.lines.join('\n')).not.toContain(key.slice(-28));
  });

  test('keys are made, changed, rotated and revoked beside a running server', async () => {
    const data = await makeData();
    const server = await startServer(data);
    const status = async (key: string, method = 'GET') =>
      (await call(method, `${server.url}/api/sessions`, undefined, { 'x-api-key': key })).status;

    const { key, id } = await create(data, '--role', 'user', '--principal', 'ci');
    expect(await status(key)).toBe(200);
    expect((await keys(data, 'change', id, '--role', 'viewer')).code).toBe(0);
    await vi.waitUntil(async () => (await status(key, 'POST')) === 403, 10_000);
    const rotated = await keys(data, 'rotate', id, '--grace', '1h');
    const fresh = rotated.stdout.trim();
    expect(rotated.stdout).toMatch(KEY);
    expect([await status(key), await status(fresh)]).toEqual([200, 200]);
    const freshId = fresh.slice('llmgine_'.length, -29);
    expect((await keys(data, 'revoke', freshId)).code).toBe(0);
    await vi.waitUntil(async () => (await status(fresh)) === 401, 10_000);

    expect(await status(key)).toBe(200);
    expect(await list(data)).toMatchObject([
      { id: freshId, status: 'revoked', role: 'viewer', principal_id: 'ci' },
      { id, status: 'active', role: 'viewer', principal_id: 'ci', successor_id: freshId },
    ]);
    const audit = await call('GET', `${server.url}/api/admin/audit`);
    expect(JSON.stringify(audit.body)).not.toContain(key.slice(-28));
    for (const action of ['key.created', 'role.changed', 'key.rotated', 'key.revoked']) {
      expect(JSON.stringify(audit.body)).toContain(action);
    }
  });

  test('many at once and a busy server do not get into each other’s way', async () => {
    const data = await makeData();
    const server = await startServer(data);
    let busy = true;
    const work = (async () => {
      const statuses = new Set<number>();
      while (busy) statuses.add((await call('POST', `${server.url}/api/sessions`)).status);
      return statuses;
    })();

    const made = await Promise.all(Array.from({ length: 4 }, () => create(data)));
    busy = false;

    expect([...(await work)].filter((status) => status !== 201 && status !== 429)).toEqual([]);
    expect((await list(data)).map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
  });
});

test('several at once make the data together', async () => {
  const data = { LLMGINE_API_DATA_DIR: join(await tempDir(), 'new') };

  const made = await Promise.all(Array.from({ length: 3 }, () => create(data)));

  expect((await list(data)).map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
});

test('the data holds no key, only its digest (check 35)', async () => {
  const folder = await tempDir();
  const data = { LLMGINE_API_DATA_DIR: folder };
  const { key, id } = await create(data);
  await keys(data, 'rotate', id);

  const names = await readdir(folder);
  const all = Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))));

  expect(all.includes(id)).toBe(true);
  expect(all.includes(key.slice(-28, -6))).toBe(false);
});

test('the files that it makes are for their owner alone', async () => {
  const folder = join(await tempDir(), 'new');
  await create({ LLMGINE_API_DATA_DIR: folder });

  const { stat } = await import('node:fs/promises');
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, 'llmgine.db'))).mode & 0o777).toBe(0o600);
});

test('lists for people: nothing but ids, names and times', async () => {
  const data = { LLMGINE_API_DATA_DIR: await tempDir() };
  const { key, id } = await create(data, '--scopes', 'sessions:read,info:read');

  const { stdout } = await keys(data, 'list');

  expect(stdout).toContain(`${id}  active   user`);
  expect(stdout).not.toContain(key.slice(-28));
});

test.each([
  [['create'], "required option '--name <name>' not specified"],
  [['create', '--name', 'x', '--role', 'emperor'], 'role: Invalid option'],
  [['create', '--name', 'x', '--scopes', 'fly'], 'scopes.0: Invalid option'],
  [['create', '--name', 'x', '--expires', 'soon'], '--expires is "soon", but must be like 90d'],
  [['create', '--name', 'x', '--expires', '2001-01-01'], 'expires_at: must be in the future'],
  [['rotate', 'key_x', '--grace', 'long'], '--grace is "long", but must be like'],
  [['fly'], "unknown command 'fly'"],
])('%j is a usage error of one readable line', async (args, message) => {
  const { code, stdout, stderr } = await keys({ LLMGINE_API_DATA_DIR: await tempDir() }, ...args);

  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
});

test.each(['revoke', 'rotate', 'change'])('%s says that there is no such key', async (command) => {
  const { code, stderr } = await keys({ LLMGINE_API_DATA_DIR: await tempDir() }, command, 'key_unknown');

  expect(code).toBe(1);
  expect(stderr).toBe('llmgine: There is no such key in use\n');
});

test.each([
  [{ LLMGINE_API_DATABASE_URL: ':memory:' }, 'belongs to its server alone'],
  [{ LLMGINE_API_DATABASE_URL: 'postgres://user:hunter2hunter2@127.0.0.1:1/x' }, 'cannot be opened'],
  [{ LLMGINE_API_DATA_DIR: '/dev/null/x' }, 'cannot be made'],
])('says in one line why it cannot open %j', async (data, message) => {
  const { code, stdout, stderr } = await keys(data as Data, 'list');

  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).not.toContain('hunter2');
});

test('data of a newer version is left alone', async () => {
  const folder = await tempDir();
  const data = { LLMGINE_API_DATA_DIR: folder };
  await create(data);
  const database = new DatabaseSync(join(folder, 'llmgine.db'));
  database.exec("insert into kysely_migration values ('9999_future', '2030-01-01')");
  database.close();

  const { code, stderr } = await keys(data, 'list');

  expect(code).toBe(1);
  expect(stderr).toContain('it was written by a newer version of LLMgine');
});
