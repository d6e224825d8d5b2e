/** `llmgine doctor` on machines that lack something: real files, servers and databases. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { startServer } from '../../../../tests/helpers/child-server.ts';
import { startTestModels } from '../../../../tests/helpers/model-app.ts';
import { emptyDatabase, testDatabase } from '../../../../tests/helpers/postgres.ts';
import { SERVER_VERSION } from '../../src/version.ts';
import { runCli } from './terminal.ts';

interface Check {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly fix?: string;
}

async function doctor(env: Record<string, string>, ...args: string[]) {
  const { code, stdout, stderr } = await runCli(['doctor', '--json', ...args], {
    env: { LLMGINE_API_PORT: '0', ...env },
  });
  expect(stderr).toBe('');
  const { status, checks } = JSON.parse(stdout) as { status: string; checks: Check[] };
  return { code, status, stdout, of: (name: string) => checks.filter((check) => check.name === name) };
}

async function startForeign(): Promise<number> {
  const server = createServer((_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test('an empty folder is a good place to start: warnings at most, and nothing is written', async () => {
  const cwd = await tempDir();

  const { code, stdout } = await runCli(['doctor', '--port', '0'], { cwd });

  expect(code).toBe(0);
  expect(stdout).toMatch(/^✓ node +v/m);
  expect(stdout).toMatch(/^✓ data folder +data will be made at the first start$/m);
  expect(stdout).toMatch(/^! model +demo/m);
  expect(stdout).toMatch(/^ +→ .*OPENAI_API_KEY/m);
  expect(stdout).toMatch(/^0 problems, \d warnings?\.$/m);
  expect(stdout).not.toContain('\u001b');
  expect((await runCli(['doctor', '--json', '--port', '0'], { cwd })).stdout).toContain('will be made');
});

test('every wrong setting is named at once, and no secret is shown', async () => {
  const secret = 'short secret with spaces';

  const { code, of, stdout } = await doctor({
    LLMGINE_API_MAX_SESSIONS: 'many',
    LLMGINE_API_SESSION_TIMEOUT: '-1',
    LLMGINE_API_KEY: secret,
  });

  expect(code).toBe(1);
  expect(of('configuration').map(({ message }) => message)).toEqual([
    expect.stringContaining('LLMGINE_API_MAX_SESSIONS is "many"'),
    expect.stringContaining('LLMGINE_API_SESSION_TIMEOUT is "-1"'),
    expect.stringContaining('LLMGINE_API_KEY is (hidden)'),
  ]);
  expect(stdout).not.toContain(secret);
});

test('a misspelt setting is a warning', async () => {
  const { code, of } = await doctor({ LLMGINE_API_MAXSESSIONS: '5' }, '--offline');

  expect(code).toBe(0);
  expect(of('configuration')[0]).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('LLMGINE_API_MAX_SESSIONS is'),
  });
});

test('beside a running server: who has the data, that it is sound, and who is on the port', async () => {
  const folder = await tempDir();
  const server = await startServer({ LLMGINE_API_DATA_DIR: folder });
  await fetch(`${server.url}/api/sessions`, { method: 'POST' });

  const { code, of } = await doctor(
    { LLMGINE_API_DATA_DIR: folder, LLMGINE_API_HOST: '127.0.0.1' },
    '--port',
    new URL(server.url).port,
  );

  expect(code).toBe(0);
  expect(of('data folder')[0]?.message).toContain(`in use by a server (pid ${server.child.pid})`);
  expect(of('database')[0]).toMatchObject({ status: 'ok', message: expect.stringContaining('llmgine.db') });
  expect(of('port')[0]?.message).toContain(`a running llmgine ${SERVER_VERSION} answers`);
  expect((await fetch(`${server.url}/api/sessions`, { method: 'POST' })).status).toBe(201);
});

test('a database that is damaged is a problem', async () => {
  const folder = await tempDir();
  await writeFile(
    join(folder, 'llmgine.db'),
    'this is no database, but it is long enough to look like one'.repeat(99),
  );

  const { code, of } = await doctor({ LLMGINE_API_DATA_DIR: folder });

  expect(code).toBe(1);
  expect(of('database')[0]).toMatchObject({ status: 'problem', fix: expect.stringContaining('backup') });
});

test('data of a newer version, and data that was used in the future', async () => {
  const folder = await tempDir();
  const server = await startServer({ LLMGINE_API_DATA_DIR: folder });
  await fetch(`${server.url}/api/sessions`, { method: 'POST' });
  await server.kill('SIGTERM');
  const database = new DatabaseSync(join(folder, 'llmgine.db'));
  database.exec("insert into kysely_migration values ('9999_future', '2030-01-01')");
  database.exec(`update sessions set last_interaction_at = ${Date.now() + 3_600_000}`);
  database.close();

  const { code, of } = await doctor({ LLMGINE_API_DATA_DIR: folder });

  expect(code).toBe(1);
  expect(of('database')[0]?.message).toContain('newer version');
  expect(of('clock')[0]).toMatchObject({ status: 'warning', fix: expect.stringContaining('clock') });
});

test('data of an older version is a warning that says what a start does', async () => {
  const folder = await tempDir();
  const server = await startServer({ LLMGINE_API_DATA_DIR: folder });
  await server.kill('SIGTERM');
  const database = new DatabaseSync(join(folder, 'llmgine.db'));
  database.exec('delete from kysely_migration where name = (select max(name) from kysely_migration)');
  database.close();

  const { code, of } = await doctor({ LLMGINE_API_DATA_DIR: folder });

  expect(code).toBe(0);
  expect(of('database')[0]).toMatchObject({ status: 'warning', message: expect.stringContaining('to come') });
});

test('a data folder that is a file is a problem', async () => {
  const folder = await tempDir();
  await writeFile(join(folder, 'data'), '');

  const { code, of } = await doctor({ LLMGINE_API_DATA_DIR: join(folder, 'data/inner') });

  expect(code).toBe(1);
  expect(of('data folder')[0]?.status).toBe('problem');
  expect(of('data folder')[0]?.message).toContain('is not a folder');
});

test('a folder in the place of the database is a problem, and no damage', async () => {
  const folder = await tempDir();
  await mkdir(join(folder, 'llmgine.db'));

  const { code, of } = await doctor({ LLMGINE_API_DATA_DIR: folder });

  expect(code).toBe(1);
  expect(of('database')[0]?.message).toBe(`${join(folder, 'llmgine.db')} is not a file`);
});

test.each(['sqlite', 'postgres'])(
  'nobody who may call is a problem, until there is a key: %s',
  async (kind) => {
    const data: Record<string, string> =
      kind === 'sqlite'
        ? { LLMGINE_API_DATA_DIR: await tempDir() }
        : { LLMGINE_API_DATABASE_URL: (await emptyDatabase()).url };
    const env = { ...data, LLMGINE_API_AUTH: 'required' };

    const before = await doctor(env);
    await runCli(['keys', 'create', '--name', 'me'], { env });
    const after = await doctor(env);
    const inConfiguration = await doctor({ ...env, LLMGINE_API_KEY: 'a-key-of-some-length' });

    expect(before.code).toBe(1);
    expect(before.of('access')[0]?.message).toContain('llmgine keys create');
    expect([after.code, after.of('access')]).toEqual([0, []]);
    expect(inConfiguration.of('access')).toEqual([]);
  },
);

test('a server that has other data than this one is a warning: a start here would find the port taken', async () => {
  const { url } = await startApp();
  const { port } = new URL(url);
  const env = { LLMGINE_API_HOST: '127.0.0.1', LLMGINE_API_DATA_DIR: await tempDir() };

  const { of } = await doctor(env, '--port', port);

  expect(of('port')[0]).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('other data'),
    fix: expect.stringContaining('--port'),
  });
});

test.each([
  ['203.0.113.7', 'is not an address of this machine'],
  ['no-such-name.invalid', 'is not the name of an address'],
])('an address that nobody can listen on is what is wrong, not the port: %s', async (host, reason) => {
  const { code, of } = await doctor({ LLMGINE_API_HOST: host }, '--port', '18999');

  expect(code).toBe(1);
  expect(of('port')[0]).toMatchObject({ status: 'problem', message: `${host} ${reason}` });
  expect(of('port')[0]?.fix).toContain('LLMGINE_API_HOST');
});

test('a program that does not speak HTTP has the port, too', async () => {
  const server = createTcpServer((socket) => void socket.end('220 mail\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;

  const { of } = await doctor({ LLMGINE_API_HOST: '127.0.0.1' }, '--port', String(port));

  expect(of('port')[0]?.message).toBe(`${port} is taken by another program`);
});

// Whoever may do everything may write everywhere.
test.runIf(process.getuid?.() !== 0)('a data folder that may not be written is a problem', async () => {
  const folder = join(await tempDir(), 'data');
  await mkdir(folder);
  await chmod(folder, 0o500);

  const { code, of } = await doctor({ LLMGINE_API_DATA_DIR: folder });

  expect(code).toBe(1);
  expect(of('data folder')[0]?.message).toContain('cannot be written');
});

test('another program on the port is a problem', async () => {
  const port = await startForeign();

  const { code, of } = await doctor({ LLMGINE_API_HOST: '127.0.0.1' }, '--port', String(port));

  expect(code).toBe(1);
  expect(of('port')[0]).toMatchObject({ status: 'problem', message: `${port} is taken by another program` });
});

test('a running server that wants a key still is a running server', async () => {
  const key = 'a-key-of-some-length';
  const { url } = await startApp({ config: { key } });

  const { of } = await doctor(
    { LLMGINE_API_HOST: '127.0.0.1', LLMGINE_API_AUTH: 'none', LLMGINE_API_DATABASE_URL: ':memory:' },
    '--port',
    new URL(url).port,
  );

  expect(of('port')[0]).toMatchObject({
    status: 'ok',
    message: expect.stringContaining('a running llmgine answers'),
  });
});

test('Postgres: its version, its tables and its clock', async () => {
  const { url } = await testDatabase();
  const empty = await emptyDatabase();

  const there = await doctor({ LLMGINE_API_DATABASE_URL: url });
  const fresh = await doctor({ LLMGINE_API_DATABASE_URL: empty.url });

  expect(there.of('database')[0]).toMatchObject({
    status: 'ok',
    message: expect.stringMatching(/Postgres \d+$/),
  });
  expect(there.of('clock')[0]).toMatchObject({
    status: 'ok',
    message: expect.stringContaining('from the database'),
  });
  expect(fresh.of('database')[0]?.message).toContain('the first start makes the tables');
  expect(await empty.query("select to_regclass('kysely_migration') as made")).toEqual([{ made: null }]);
});

test('Postgres that is not there is a problem, and its password is not shown', async () => {
  const { code, of, stdout } = await doctor({
    LLMGINE_API_DATABASE_URL: 'postgres://user:hunter2hunter2@127.0.0.1:1/x',
  });

  expect(code).toBe(1);
  expect(of('database')[0]?.message).toContain('cannot be reached');
  expect(stdout).not.toContain('hunter2');
});

test('a model that answers, one that refuses the key, one that says nothing, and one that is not asked', async () => {
  const models = await startTestModels();
  const env = {
    OPENAI_BASE_URL: models.baseUrl,
    OPENAI_API_KEY: 'sk-of-some-length-for-tests',
    LLMGINE_API_MODEL: 'openai-compatible:x',
  };
  const answers = await doctor(env);
  models.script({ status: 401, error: { message: 'wrong key sk-of-some-length-for-tests' } });
  const refuses = await doctor(env);
  models.script({ headersGate: models.gate() });
  const silent = await doctor(env, '--timeout', '1s');
  const asked = models.requests.length;
  const offline = await doctor(env, '--offline');

  expect(answers.of('model')[0]).toMatchObject({
    status: 'ok',
    message: expect.stringMatching(/x answers after \d+ ms/),
  });
  expect(refuses).toMatchObject({ code: 1, status: 'problem' });
  expect(refuses.of('model')[0]?.message).toContain('401');
  expect(refuses.stdout).not.toContain(env.OPENAI_API_KEY);
  expect(silent.of('model')[0]?.message).toContain('no answer in 1 s');
  expect(offline.of('model')[0]?.message).toContain('--offline');
  expect(models.requests).toHaveLength(asked);
});

test('models that stand in for each other are checked one by one', async () => {
  const models = await startTestModels();
  models.script({ status: 404, error: { message: 'no such model' } });

  const { of } = await doctor({
    OPENAI_BASE_URL: models.baseUrl,
    LLMGINE_API_MODEL: 'openai-compatible:old, openai-compatible:new',
  });

  expect(of('model').map(({ status }) => status)).toEqual(['problem', 'ok']);
});

test('a model without its key is a problem that names the key', async () => {
  const { code, of } = await doctor({ LLMGINE_API_MODEL: 'anthropic:x' });

  expect(code).toBe(1);
  expect(of('model')[0]?.message).toContain('ANTHROPIC_API_KEY');
});
