/** What people install: the packages are built, packed, checked, and used from an empty project. */
import { type ExecFileException, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
const PACKAGES = ['protocol', 'client', 'server'] as const;
const MINUTES = 60_000;

let folder: string;
/** An empty project with nothing but the packages. */
let consumer: string;
const tarballs = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llmgine-package-'));
  consumer = join(folder, 'consumer');
  await mkdir(consumer);
  await run('npm', ['run', 'build'], ROOT);
  // The console is files for browsers: nobody imports it.
  for (const name of [...PACKAGES, 'console']) {
    const packed = await run(
      'npm',
      ['pack', '--json', '--pack-destination', folder],
      join(ROOT, 'packages', name),
    );
    tarballs.set(name, join(folder, (JSON.parse(packed) as [{ filename: string }])[0].filename));
  }
  await writeFile(join(consumer, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await run(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs.values()],
    consumer,
  );
}, 10 * MINUTES);

afterAll(() => rm(folder, { recursive: true, force: true }));

function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, env }, (error: ExecFileException | null, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${args.join(' ')}\n${stdout}\n${stderr}`));
      else resolve(stdout);
    });
  });
}

/** Without what the test runner sets, and with the project's own Node first. */
const env = {
  ...process.env,
  NODE_OPTIONS: '',
  NODE_ENV: '',
  PATH: `${BIN}:${process.env.PATH}`,
};

test.each(PACKAGES)('%s: publint and attw find nothing', async (name) => {
  const tarball = tarballs.get(name) ?? '';

  await run(join(BIN, 'publint'), ['run', tarball, '--strict'], ROOT);
  await run(join(BIN, 'attw'), [tarball, '--profile', 'esm-only', '--no-color'], ROOT);
});

test.each(PACKAGES)('%s: the licence and the readme are in the package, and no test is', async (name) => {
  const files = (await run('tar', ['-tzf', tarballs.get(name) ?? ''], ROOT)).split('\n');

  expect(files).toContain('package/LICENSE');
  expect(files).toContain('package/README.md');
  expect(files).toContain('package/dist/index.js');
  // What `llmgine init` writes has tests of its own.
  const own = files.filter((file) => !file.startsWith('package/templates/'));
  expect(own.filter((file) => /\/test\/|\.test\./.test(file))).toEqual([]);
  expect(await readFile(join(ROOT, 'packages', name, 'LICENSE'), 'utf8')).toBe(
    await readFile(join(ROOT, 'LICENSE'), 'utf8'),
  );
});

test('the llmgine command says its version and its help', async () => {
  const manifest = JSON.parse(await readFile(join(ROOT, 'packages/server/package.json'), 'utf8'));

  expect(await run('npx', ['--no-install', 'llmgine', '--version'], consumer)).toBe(`${manifest.version}\n`);
  expect(await run('npx', ['--no-install', 'llmgine', '--help'], consumer)).toContain('serve');
});

test('the llmgine command serves', { timeout: MINUTES }, async () => {
  const server = spawn(join(consumer, 'node_modules/.bin/llmgine'), ['serve', '--port', '0'], {
    cwd: consumer,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void server.kill('SIGKILL'));

  let live = 0;
  for await (const line of createInterface({ input: server.stdout })) {
    const port = /"port":(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    live = (await fetch(`http://localhost:${port}/health/live`)).status;
    break;
  }
  server.stdout.resume();
  server.kill('SIGTERM');
  const [code] = await once(server, 'close');

  expect(live).toBe(200);
  expect(code).toBe(0);
});

const LIBRARY_USE = `
import { createApp, defineEngine } from '@llmgine/api';
import { ERRORS } from '@llmgine/protocol';

const app = await createApp({ config: { port: 0, databaseUrl: ':memory:', logLevel: 'silent' } });
const { url } = await app.listen();
const response = await fetch(url + '/api/sessions', { method: 'POST' });
const body = await response.json();
await app.close();
console.log(JSON.stringify({ status: response.status, body, defineEngine: typeof defineEngine, errors: ERRORS.NOT_FOUND.status }));
`;

test('a program that imports it starts an application and makes a session', {
  timeout: MINUTES,
}, async () => {
  await writeFile(join(consumer, 'use.js'), LIBRARY_USE);

  const printed = JSON.parse(await run('node', ['use.js'], consumer));

  expect(printed).toEqual({
    status: 201,
    body: { session_id: expect.any(String), status: 'success' },
    defineEngine: 'function',
    errors: 404,
  });
});

const TESTING_USE = `
import { runCommand, scriptedModel, testApp } from '@llmgine/api/testing';

await using app = await testApp({ models: [scriptedModel(['Hello from the script'])] });
const { status, result } = await runCommand(app, { engine: 'SinglePassEngine', prompt: 'Hi' });
console.log(JSON.stringify({ status, text: result.text }));
`;

test('the testing kit works in an empty project, without a test runner', { timeout: MINUTES }, async () => {
  await writeFile(join(consumer, 'use-testing.js'), TESTING_USE);

  const printed = JSON.parse(await run('node', ['use-testing.js'], consumer));

  expect(printed).toEqual({ status: 'completed', text: 'Hello from the script' });
});

test('what the engine guide builds passes its tests there', { timeout: MINUTES }, async () => {
  const guide = join(ROOT, 'examples/guide-engines');
  const files = (await readdir(guide)).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  for (const file of files) await cp(join(guide, file), join(consumer, 'guide', file));

  const printed = await run('node', ['--test', '--test-reporter=tap', 'guide/refund-test.ts'], consumer);

  expect(printed).toMatch(/^# pass 2$/m);
});

test('a project that the llmgine command makes passes its tests there', { timeout: MINUTES }, async () => {
  await run('npx', ['--no-install', 'llmgine', 'init', 'shop', '--yes'], consumer);

  const printed = await run('npm', ['test', '--prefix', 'shop'], consumer);

  expect(printed).toMatch(/ pass 3$/m);
});

const TYPED_USE = `
import { type App, ApiError, APIConfig, type ConfigInput, createApp } from '@llmgine/api';
import { type ScriptedModel, scriptedModel } from '@llmgine/api/testing';
import { ERRORS, type ErrorCode, type SessionList } from '@llmgine/protocol';

const model: ScriptedModel = scriptedModel(['Hi']);
const left: number = model.left;
const overrides: Partial<ConfigInput> = { title: 'Typed', maxSessions: 50 };
const app: App = await createApp({ config: new APIConfig(overrides) });
const { url }: { url: string } = await app.listen({ port: 0 });
const list = (await (await fetch(url + '/api/sessions')).json()) as SessionList;
const code: ErrorCode = 'RATE_LIMITED';
const status: 429 = ERRORS[code].status;
// @ts-expect-error: the published types are real ones, so what is not there is an error.
app.isNotThere();
throw new ApiError(code, String(status + left) + list.total);
`;

test('a TypeScript program that imports it type-checks, also without skipLibCheck', {
  timeout: MINUTES,
}, async () => {
  await writeFile(join(consumer, 'use.ts'), TYPED_USE);
  const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2024'];
  const modules = [
    '--module',
    'nodenext',
    '--types',
    'node',
    '--typeRoots',
    join(ROOT, 'node_modules/@types'),
  ];

  await run(join(BIN, 'tsc'), [...options, ...modules, 'use.ts'], consumer);
});
