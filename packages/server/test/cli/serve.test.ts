/** `llmgine` as people and init systems meet it: a process with arguments, streams, signals and an exit code. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { startServer } from '../../../../tests/helpers/child-server.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { SERVER_VERSION } from '../../src/version.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command that ends by itself. */
async function llmgine(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, ['--conditions=@llmgine/source', MAIN, ...args], {
    cwd: await tempDir(),
    env: { PATH: process.env.PATH, ...env },
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

test('--version prints the version of the package', async () => {
  expect(await llmgine(['--version'])).toEqual({ code: 0, stdout: `${SERVER_VERSION}\n`, stderr: '' });
});

test('--help names the commands, and serve --help its options', async () => {
  const help = await llmgine(['--help']);
  const serveHelp = await llmgine(['serve', '--help']);

  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('serve') });
  for (const option of ['--port', '--host', '--config', '--data-dir', '--model', '--debug', '--log-format']) {
    expect(serveHelp.stdout).toContain(option);
  }
});

test.each([
  [['fly'], "unknown command 'fly'"],
  [['serve', '--prot', '1'], "unknown option '--prot'"],
  [['serve', '--port', 'many'], 'port is "many", but must be a whole number from 0 to 65535'],
  [['serve', '--config', 'missing.json'], 'llmgine: the configuration file is "missing.json", but that file'],
  [['serve', '--model', 'unheard-of:model'], 'model is "unheard-of:model", but must be'],
])('%j is a usage error of one readable line', async (args, message) => {
  const { code, stdout, stderr } = await llmgine(args);

  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
});

test('a Node that is too old is said to be, in one line, before anything that it lacks is loaded', async () => {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' });
    (await import('node:module')).registerHooks({
      resolve(specifier, context, next) {
        if (!/main|node-version/.test(specifier)) throw new Error('loads ' + specifier);
        return next(specifier, context);
      },
    });`;

  expect(
    await llmgine(['serve'], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(pretend)}`,
    }),
  ).toEqual({ code: 1, stdout: '', stderr: 'llmgine: needs Node 24 or newer, this is v20.20.2\n' });
});

test('a port that is taken stops the start with exit code 1 and one line', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };

  const { code, stderr } = await llmgine(['serve', '--host', '127.0.0.1', '--port', String(port)]);

  expect(code).toBe(1);
  expect(stderr).toBe(
    `llmgine: port ${port} is taken by another program; choose one with --port or LLMGINE_API_PORT\n`,
  );
});

test('a data folder that another server uses stops the start with one line; debug adds the stack', async () => {
  const dataDir = await tempDir();
  await startServer({ LLMGINE_API_DATA_DIR: dataDir });

  const plain = await llmgine(['serve', '--port', '0', '--data-dir', dataDir]);
  const debug = await llmgine(['serve', '--port', '0', '--data-dir', dataDir, '--debug']);

  expect(plain.code).toBe(1);
  expect(plain.stderr).toMatch(/^llmgine: [^\n]*use[^\n]*\n$/);
  expect(debug.code).toBe(1);
  expect(debug.stderr).toContain('StorageInUseError');
});

test('options win over the file; the banner is on stderr, so that stdout is nothing but log lines', async () => {
  const dataDir = await tempDir();
  const file = join(dataDir, 'settings.json');
  await writeFile(file, JSON.stringify({ title: 'From the file', port: 1, host: '127.0.0.1' }));
  const child = spawn(
    process.execPath,
    ['--conditions=@llmgine/source', MAIN, 'serve', '--config', file, '--port', '0', '--data-dir', dataDir],
    { cwd: dataDir, env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const stdout = text(child.stdout);

  let banner = '';
  for await (const chunk of child.stderr) {
    banner += String(chunk);
    if (!banner.includes('First call:')) continue;
    child.kill('SIGTERM');
  }

  expect(banner).toContain('From the file');
  expect(banner).toMatch(/REST +http:\/\/127\.0\.0\.1:\d+ /);
  const lines = (await stdout).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).service)).toEqual(lines.map(() => 'llmgine-api'));
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops the server and exits with 0', async (signal) => {
  const server = await startServer({ LLMGINE_API_DATABASE_URL: ':memory:' });

  expect(await server.kill(signal)).toEqual({ code: 0, signal: null });
});

test('check 39 (ASVS 16.5.4): what nobody catches is logged, and the server goes on', async () => {
  const loose = `process.on('SIGUSR2', () => {
    Promise.reject(new Error('a loose promise'));
    throw new Error('a loose listener');
  })`;
  const server = await startServer({
    LLMGINE_API_DATABASE_URL: ':memory:',
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(loose)}`,
  });

  server.child.kill('SIGUSR2');

  const logged = (text: string) => server.lines.find((line) => line.includes(text));
  await expect.poll(() => logged('a loose promise')).toContain('unhandled rejection');
  await expect.poll(() => logged('a loose listener')).toContain('uncaught exception');
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('a second signal does not wait for the runs', async () => {
  const server = await startServer({
    LLMGINE_API_DATABASE_URL: ':memory:',
    LLMGINE_API_MODEL: 'demo:slow',
    LLMGINE_API_SHUTDOWN_GRACE: '3600',
  });
  const created = await fetch(`${server.url}/api/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ engine_type: 'SinglePassEngine' }),
  });
  const { session_id } = (await created.json()) as { session_id: string };
  const socket = await TestSocket.open(server.wsUrl(session_id));
  await socket.request('command', { command: 'prompt', parameters: { prompt: 'Write 100000 words' } });
  await socket.findEvent('text_delta');

  server.child.kill('SIGTERM');
  await socket.findType('going_away');
  server.child.kill('SIGINT');

  expect(await server.exited).toEqual({ code: 130, signal: null });
});
