import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDir } from '../helpers/app.ts';

const ROOT = join(import.meta.dirname, '../..');
const SCRIPT = join(ROOT, 'scripts/check-supply.ts');
const LOCKFILE = join(ROOT, 'package-lock.json');

function check(lockfile: string): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(process.execPath, [SCRIPT, '--lockfile', lockfile], { encoding: 'utf8' });
}

test('check 40 (ASVS 15.2.4): every package is pinned by its hash, and comes from the registry', () => {
  expect(check(LOCKFILE)).toMatchObject({ status: 0, stderr: '' });
});

test.each([
  ['comes from somewhere else', { resolved: 'https://evil.example/zod.tgz' }, 'not from the registry'],
  ['comes from a repository', { resolved: 'git+ssh://git@github.com/a/zod.git#1' }, 'not from the registry'],
  ['has no hash', { integrity: undefined }, 'no SHA-512'],
  ['has a weak hash', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, 'no SHA-512'],
  ['has a version that is none', { version: 'latest' }, 'no version'],
  ['runs a script at installation', { hasInstallScript: true }, 'runs a script'],
  ['is a folder outside', { link: true, resolved: '../elsewhere' }, 'links out of the workspace'],
])('check 40: a package that %s is found', async (_what, change, finding) => {
  const lockfile = JSON.parse(readFileSync(LOCKFILE, 'utf8')) as { packages: Record<string, object> };
  lockfile.packages['node_modules/zod'] = { ...lockfile.packages['node_modules/zod'], ...change };
  const file = join(await tempDir(), 'package-lock.json');
  await writeFile(file, JSON.stringify(lockfile));

  const { status, stderr } = check(file);

  expect(status).toBe(1);
  expect(stderr).toContain('node_modules/zod');
  expect(stderr).toContain(finding);
});
