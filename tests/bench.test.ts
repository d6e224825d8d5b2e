/** Every scenario of the bench works. How fast anything is decides no test. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

interface Report {
  readonly failures: readonly string[];
  readonly scenarios: readonly {
    readonly name: string;
    readonly runs: Readonly<Record<string, readonly Readonly<Record<string, number | null>>[]>>;
  }[];
}

test('the bench measures every subject in every scenario', async () => {
  const out = await mkdtemp(join(tmpdir(), 'llmgine-bench-test-'));
  onTestFinished(() => rm(out, { recursive: true }));
  await promisify(execFile)(
    process.execPath,
    ['--conditions=@llmgine/source', 'bench/main.ts', '--smoke', '--out', out],
    { cwd: ROOT },
  );
  const { scenarios, failures } = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as Report;
  expect(failures).toEqual([]);
  expect(scenarios.map(({ name }) => name)).toEqual(expect.arrayContaining(['paced', 'create', 'stored']));
  for (const { name, runs } of scenarios) {
    for (const [subject, [figures]] of Object.entries(runs)) {
      expect(Object.keys(figures ?? {}), `${name}, ${subject}`).not.toEqual([]);
      if (figures && 'arrived' in figures) expect(figures.arrived, `${name}, ${subject}`).toBe(1);
      if (figures && 'framesPerToken' in figures) expect(figures.framesPerToken).toBeGreaterThan(0);
    }
  }
  expect(await readFile(join(out, 'report.md'), 'utf8')).toContain('200 streams at 50 tokens a second');
  expect(await readdir(out)).toEqual(expect.arrayContaining(scenarios.map(({ name }) => `${name}.svg`)));
}, 240_000);
