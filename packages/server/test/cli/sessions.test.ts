/** `llmgine sessions` against a real server. */
import { readFile, stat } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { startModelApp } from '../../../../tests/helpers/model-app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { runCli } from './terminal.ts';

/** A server that answers as it likes. */
async function startPeer(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startWithTalk() {
  const app = await startModelApp();
  const id = await app.createSession({ name: 'First', engine_type: 'SinglePassEngine' });
  await call('POST', `${app.url}/api/sessions/${id}/commands`, {
    command: 'prompt',
    parameters: { prompt: 'Hello' },
  });
  const sessions = (args: readonly string[], options: Parameters<typeof runCli>[1] = {}) =>
    runCli(['sessions', ...args, '--url', app.url], options);
  return { ...app, id, sessions };
}

test('a session is exported, imported, forked, shown and removed', { timeout: 60_000 }, async () => {
  const { id, sessions } = await startWithTalk();
  const file = join(await tempDir(), 'talk.jsonl');

  expect(await sessions(['export', id, '-o', file])).toEqual({ code: 0, stdout: '', stderr: '' });
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ type: 'session', version: 1 });
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ type: 'end' });
  expect((await stat(file)).mode & 0o077).toBe(0);
  expect((await sessions(['export', id])).stdout).toBe(`${lines.join('\n')}\n`);

  const imported = (await sessions(['import', file])).stdout.trim();
  const piped = await sessions(['import', '--json'], { input: await readFile(file, 'utf8') });
  const copy = JSON.parse((await sessions(['fork', id, '--name', 'Copy', '--json'])).stdout);
  expect(JSON.parse(piped.stdout)).toMatchObject({ status: 'success' });
  expect(copy).toMatchObject({ status: 'success', forked_from: { session_id: id } });

  for (const session of [id, imported, copy.session_id]) {
    const { stdout } = await sessions(['show', session]);
    expect(stdout).toMatch(/^engine: +SinglePassEngine$/m);
    expect(stdout).toContain('you: Hello');
    expect(stdout).toContain('assistant: Hello from the model server.');
  }
  expect(JSON.parse((await sessions(['show', id, '--json'])).stdout)).toMatchObject({
    session_id: id,
    messages: [{ role: 'user' }, { role: 'assistant' }],
  });

  const unknown = '00000000-0000-4000-8000-000000000000';
  const removed = await sessions(['rm', id, unknown, imported]);
  expect(removed.code).toBe(1);
  expect(removed.stdout).toBe(`${id} is removed\n${imported} is removed\n`);
  expect(removed.stderr).toContain(unknown);
  expect((await sessions(['show', id])).code).toBe(1);
});

test('an export overwrites no file, and of a session that is not there makes none', async () => {
  const { id, sessions } = await startWithTalk();
  const folder = await tempDir();
  const file = join(folder, 'talk.jsonl');
  await sessions(['export', id, '-o', file]);
  const before = await readFile(file, 'utf8');

  const again = await sessions(['export', id, '-o', file]);
  const missing = await sessions([
    'export',
    '00000000-0000-4000-8000-000000000000',
    '-o',
    join(folder, 'none'),
  ]);

  expect(again).toMatchObject({
    code: 1,
    stderr: `llmgine: ${file} is there already; nothing was written\n`,
  });
  expect(await readFile(file, 'utf8')).toBe(before);
  expect(missing.code).toBe(1);
  await expect(stat(join(folder, 'none'))).rejects.toThrow('ENOENT');
});

test('an export that breaks off leaves no half of a file', async () => {
  const file = join(await tempDir(), 'talk.jsonl');
  const url = await startPeer((response) => {
    response.writeHead(200, { 'content-type': 'application/jsonl' });
    response.write('{"type":"session","version":1}\n', () => response.destroy());
  });

  const { code, stderr } = await runCli(['sessions', 'export', 'an-id', '-o', file, '--url', url]);

  expect(code).toBe(1);
  expect(stderr).toBe(`llmgine: the export broke off, and ${file} was not written\n`);
  await expect(stat(file)).rejects.toThrow('ENOENT');
  expect(await runCli(['sessions', 'export', 'an-id', '--url', url])).toMatchObject({
    code: 1,
    stderr: 'llmgine: the export broke off\n',
  });
});

test('a file and a message that are not there are said once, in words', async () => {
  const { id, sessions } = await startWithTalk();

  const file = await sessions(['import', 'nothing.jsonl']);
  const message = await sessions(['fork', id, '--at', 'msg_none']);

  expect(file).toMatchObject({ code: 1, stderr: 'llmgine: there is no file nothing.jsonl\n' });
  expect(message.code).toBe(2);
  expect(message.stderr.match(/no message of this session/g)).toHaveLength(1);
});

test.each([
  ['--url', ['--url', 'https://me:hush-hush@host'], {}],
  ['--url', ['--url', 'ftp://me:hush-hush@host'], {}],
  ['LLMGINE_URL', [], { LLMGINE_URL: 'host:hush-hush@x' }],
  ['LLMGINE_API_PORT', [], { LLMGINE_API_PORT: 'many' }],
] as const)(
  'an address that is none is wrong by the name of where it is from, %s, and no password is shown',
  async (source, args, env) => {
    const { code, stderr } = await runCli(['sessions', 'ls', ...args], { env });

    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^llmgine: ${source} .*\n$`));
    expect(stderr).not.toContain('hush-hush');
  },
);

test('what is no export is refused, and makes no session', async () => {
  const { sessions } = await startWithTalk();

  const { code, stdout, stderr } = await sessions(['import'], { input: 'nonsense\n' });

  expect(code).toBeGreaterThan(0);
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect((await sessions(['ls', '--json'])).stdout.trim().split('\n')).toHaveLength(1);
});

test('lists are tables for people and lines for programs, with filters', async () => {
  const { url, createSession } = await startApp({ config: { maxSessions: 300 } });
  const id = await createSession({ name: 'Wanted\u001b[2J', metadata: { customer: '7' } });
  for (let count = 0; count < 120; count++) await createSession();
  const ls = (...args: string[]) => runCli(['sessions', 'ls', '--url', url, ...args]);

  const table = await ls('--metadata', 'customer=7');
  const all = await ls('--json');
  const some = await ls('--json', '--limit', '105');
  const wrong = await ls('--status', 'asleep');

  expect(table.stdout.split('\n')).toEqual([
    expect.stringMatching(/^ID +STATUS +LAST USED +COST +NAME$/),
    expect.stringMatching(new RegExp(`^${id} running .* Wanted$`)),
    '',
  ]);
  expect(all.stdout.trim().split('\n')).toHaveLength(121);
  expect(some.stdout.trim().split('\n')).toHaveLength(105);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('running, idle, failed') });
});

test('a key comes from the environment, and the one in a file of this folder goes to its own server only', async () => {
  const key = 'a-key-of-some-length';
  const { url } = await startApp({ config: { key } });
  const cwd = await tempDir();
  const { writeFile } = await import('node:fs/promises');
  await writeFile(join(cwd, '.env'), `LLMGINE_API_KEY=${key}\nLLMGINE_API_PORT=${new URL(url).port}\n`);

  const asEnvironment = await runCli(['sessions', 'ls', '--url', url], { env: { LLMGINE_API_KEY: key } });
  const ownServer = await runCli(['sessions', 'ls'], { cwd });
  const otherServer = await runCli(['sessions', 'ls', '--url', url], { cwd });

  expect([asEnvironment.code, ownServer.code, otherServer.code]).toEqual([0, 0, 1]);
  expect(otherServer.stderr).toContain('LLMGINE_TOKEN');
});
