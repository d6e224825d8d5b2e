/** `--json`: what a command prints for people it can print for programs, on standard output and alone. */
import { expect, test } from 'vitest';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { runCli } from './terminal.ts';

async function makeData() {
  const env = { LLMGINE_API_DATA_DIR: await tempDir() };
  return async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli([...args, '--json'], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(1);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
}

test('keys are made, changed, rotated and revoked', async () => {
  const run = await makeData();

  const made = await run('keys', 'create', '--name', 'CI');
  const id = String(made.id);
  const changed = await run('keys', 'change', id, '--role', 'viewer');
  const rotated = await run('keys', 'rotate', id);
  const revoked = await run('keys', 'revoke', id);

  expect(made).toMatchObject({ name: 'CI', role: 'user', key: expect.stringMatching(/^llmgine_key_/) });
  expect(changed).toMatchObject({ id, role: 'viewer' });
  expect(rotated).toMatchObject({ name: 'CI', key: expect.stringMatching(/^llmgine_key_/) });
  expect(revoked).toMatchObject({ id, status: 'revoked' });
  expect([changed, revoked].some((one) => 'key' in one)).toBe(false);
});

test('the audit log is whole, and what its head is', async () => {
  const run = await makeData();
  await run('keys', 'create', '--name', 'CI');

  const head = await run('audit', 'head');
  const verdict = await run('audit', 'verify');

  expect(head).toEqual({ number: 1, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(verdict).toMatchObject({ ok: true, head });
});
