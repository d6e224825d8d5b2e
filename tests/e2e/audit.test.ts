/** The audit log of a real server, read and checked from the command line beside it. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../helpers/app.ts';
import { type ChildServer, startServer } from '../helpers/child-server.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/main.ts', import.meta.url));
const KEY = 'a-bootstrap-key-of-the-test';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `llmgine audit …` to its end. */
function audit(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--conditions=@llmgine/source', MAIN, 'audit', ...args],
      { env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

async function refuse({ url }: ChildServer, times: number): Promise<void> {
  await Promise.all(
    Array.from({ length: times }, (_, index) =>
      call('GET', `${url}/api/sessions`, undefined, { authorization: `Bearer wrong-credential-${index}` }),
    ),
  );
}

const entriesIn = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { entry: Record<string, unknown> }).entry);

const STORAGES: readonly (readonly [string, () => Promise<Record<string, string>>])[] = [
  ['SQLite', async () => ({ LLMGINE_API_DATABASE_URL: `sqlite:${await tempDir()}/db` })],
  ['Postgres', async () => ({ LLMGINE_API_DATABASE_URL: (await testDatabase()).url })],
];

describe.each(STORAGES)('on %s', (_name, data) => {
  it('what a running server records is verified and exported beside it (check 38)', async () => {
    const env = { ...(await data()), LLMGINE_API_KEY: KEY };
    const server = await startServer(env);
    await refuse(server, 1);
    // The first one is written at once.
    await expect.poll(() => audit(env, 'head').then(({ stdout }) => stdout)).toMatch(/^1 [0-9a-f]{64}\n$/);
    const head = (await audit(env, 'head')).stdout.trim().split(' ')[1] ?? '';
    await refuse(server, 20);
    await server.kill('SIGTERM');

    const verified = await audit(env, 'verify', '--head', head);
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    expect(verified.stdout).toMatch(
      /^the audit log is whole: \d+ entries, head [0-9a-f]{64}; \d+ since the known head\n$/,
    );

    const exported = await audit(env, 'export');
    const entries = entriesIn(exported.stdout);
    // Some answers are that there were too many.
    const counted = entries
      .filter(({ action }) => action === 'auth.refused')
      .reduce((sum, { count = 1 }) => sum + Number(count), 0);
    const lines = server.lines.filter(
      (line) => line.includes('"audit":true') && line.includes('auth.refused'),
    );
    expect(counted).toBe(lines.length);
    expect(counted).toBeGreaterThan(1);
    expect(exported.stdout).not.toContain('wrong-credential');

    const file = join(await tempDir(), 'audit.jsonl');
    await writeFile(file, exported.stdout);
    expect(await audit({}, 'verify', file, '--head', head)).toMatchObject({ code: 0 });
    await writeFile(file, exported.stdout.replace('127.0.0.1', '127.0.0.2'));
    const edited = await audit({}, 'verify', file);
    expect(edited.code).toBe(1);
    expect(edited.stderr).toMatch(/^llmgine: the audit log is not whole: entry 1 .*\n$/);
    expect(await readFile(file, 'utf8')).toContain('127.0.0.2');
  });

  it('a server that is killed in a burst leaves a whole log, to which the next one adds', async () => {
    const env = { ...(await data()), LLMGINE_API_KEY: KEY };
    const first = await startServer(env);
    await refuse(first, 1);
    await expect.poll(() => audit(env, 'head').then(({ stdout }) => stdout)).toMatch(/^1 /);
    await Promise.all([refuse(first, 30).catch(() => {}), first.kill('SIGKILL')]);
    const before = Number((await audit(env, 'head')).stdout.split(' ')[0]);

    const second = await startServer(env);
    await refuse(second, 1);
    await second.kill('SIGTERM');

    expect(await audit(env, 'verify')).toMatchObject({ code: 0 });
    const after = Number((await audit(env, 'head')).stdout.split(' ')[0]);
    expect(after).toBeGreaterThan(before);
  });
});

it('somebody who edits the data of a stopped server is found (check 38)', async () => {
  const dataDir = await tempDir();
  const env = { LLMGINE_API_DATA_DIR: dataDir, LLMGINE_API_KEY: KEY };
  const server = await startServer(env);
  await refuse(server, 3);
  await server.kill('SIGTERM');
  const head = (await audit(env, 'head')).stdout.trim().split(' ')[1] ?? '';

  const database = new DatabaseSync(join(dataDir, 'llmgine.db'));
  database.exec(`drop trigger audit_log_no_delete; delete from audit_log where number > 0;
    drop trigger audit_head_no_delete; delete from audit_head`);
  database.close();

  // Nothing is left that would say that there was more: only the head that was kept elsewhere does.
  expect(await audit(env, 'verify')).toMatchObject({ code: 0 });
  const found = await audit({}, 'verify', '--data-dir', dataDir, '--head', head);
  expect(found.code).toBe(1);
  expect(found.stderr).toContain('the known head is not in the log');
});

it('wrong arguments, and data that is not there, are said in one line', async () => {
  const dataDir = await tempDir();

  for (const [args, code, line] of [
    [['verify', '--head', 'abc'], 2, 'llmgine: --head is a hash of 64 hexadecimal digits\n'],
    [['verify', '--data-dir', dataDir], 1, `llmgine: There is no data in ${join(dataDir, 'llmgine.db')}\n`],
    [['verify', join(dataDir, 'none.jsonl')], 1, expect.stringMatching(/^llmgine: ENOENT.*\n$/)],
    [['verify', dataDir], 1, expect.stringMatching(/^llmgine: EISDIR.*\n$/)],
  ] as const) {
    expect(await audit({}, ...args)).toEqual({ code, stdout: '', stderr: line });
  }
});
