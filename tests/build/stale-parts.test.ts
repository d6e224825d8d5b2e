/** What `npm start` does before the server starts. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { buildStale, type Part } from '../../scripts/stale-parts.ts';
import { tempDir } from '../helpers/app.ts';

const MODULE = fileURLToPath(new URL('../../scripts/stale-parts.ts', import.meta.url));

async function project(owns = true) {
  const root = await tempDir();
  mkdirSync(join(root, 'src/deep'), { recursive: true });
  writeFileSync(join(root, 'src/deep/a.txt'), 'one');
  const said: string[] = [];
  let builds = 0;
  const part: Part = {
    name: 'it',
    dist: 'dist',
    owns,
    sources: ['src', 'not-there.json'],
    build: async (folder) => {
      builds++;
      const text = readFileSync(join(root, 'src/deep/a.txt'), 'utf8');
      if (text === 'bad') throw new Error('the source is bad');
      writeFileSync(join(folder, 'out.txt'), `built from ${text}`);
    },
  };
  const place = { root, cache: join(root, 'cache'), say: (text: string) => void said.push(text) };
  return {
    root,
    said,
    build: () => buildStale([part], place),
    builds: () => builds,
    write: (text: string) => writeFileSync(join(root, 'src/deep/a.txt'), text),
    out: () => readFileSync(join(root, 'dist/out.txt'), 'utf8'),
  };
}

test('it is built when it is not there, when its sources change, and not otherwise', async () => {
  const { build, builds, write, out, root, said } = await project();

  await build();
  expect([builds(), out()]).toEqual([1, 'built from one']);
  expect(said.join('')).toMatch(/^Building it … \d+\.\d s\n$/);
  await build();
  expect(builds()).toBe(1);
  write('two');
  await build();
  expect([builds(), out()]).toEqual([2, 'built from two']);
  rmSync(join(root, 'dist'), { recursive: true });
  await build();
  expect(builds()).toBe(3);
});

test('what is gone from the sources is gone from the result', async () => {
  const { build, write, root } = await project();
  await build();
  writeFileSync(join(root, 'dist/old.txt'), 'of a build before');
  write('two');
  await build();
  expect(existsSync(join(root, 'dist/old.txt'))).toBe(false);
});

test('in a folder that is not its own it leaves the rest alone', async () => {
  const { build, out, root } = await project(false);
  mkdirSync(join(root, 'dist'));
  writeFileSync(join(root, 'dist/other.txt'), 'of somebody else');
  await build();
  expect(out()).toBe('built from one');
  expect(existsSync(join(root, 'dist/other.txt'))).toBe(true);
});

test("what a killed build has left behind is in nobody's way", async () => {
  const { build, out, root } = await project();
  for (const name of ['new', 'old']) {
    mkdirSync(join(root, 'cache', name), { recursive: true });
    writeFileSync(join(root, 'cache', name, 'half.txt'), 'half');
  }
  await build();
  expect(out()).toBe('built from one');
  expect(existsSync(join(root, 'dist/half.txt'))).toBe(false);
});

test('a build that fails says why, leaves what was there, and is tried again', async () => {
  const { build, builds, write, out, said } = await project();
  await build();
  write('bad');
  said.length = 0;

  await build();
  expect(said.join('')).toContain('failed; the server starts without it.\nthe source is bad\n');
  expect(out()).toBe('built from one');
  await build();
  expect(builds()).toBe(3);
  write('good');
  await build();
  expect(out()).toBe('built from good');
});

test('of several that start at once one builds, and the others wait for it', async () => {
  const { root } = await project();
  const log = join(root, 'builds.txt');
  const code = `
    import { appendFileSync, writeFileSync } from 'node:fs';
    import { setTimeout as later } from 'node:timers/promises';
    const { buildStale } = await import(${JSON.stringify(MODULE)});
    await buildStale([{ name: 'it', dist: 'dist', owns: true, sources: ['src'], build: async (folder) => {
      appendFileSync(${JSON.stringify(log)}, 'begin ');
      await later(300);
      writeFileSync(folder + '/out.txt', 'x');
      appendFileSync(${JSON.stringify(log)}, 'end ');
    } }], { root: ${JSON.stringify(root)}, cache: ${JSON.stringify(join(root, 'cache'))}, say: () => {} });
    process.stdout.write(String(JSON.stringify((await import('node:fs')).existsSync(${JSON.stringify(join(root, 'dist/out.txt'))}))));
  `;
  const start = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code]);

  const ends = await Promise.all([start(), start(), start()]);

  expect(ends.map(({ stdout }) => stdout)).toEqual(['true', 'true', 'true']);
  expect(readFileSync(log, 'utf8')).toBe('begin end ');
});

test('where nothing can be written it says so, and nothing else comes of it', async () => {
  const { root, said } = await project();
  // What a read-only disk answers, also to those who may do everything.
  writeFileSync(join(root, 'cache'), 'no folder');
  const part: Part = { name: 'it', dist: 'dist', owns: true, sources: ['src'], build: async () => {} };
  const place = { root, cache: join(root, 'cache/deep'), say: (text: string) => void said.push(text) };
  await buildStale([part], place);
  expect(said.join('')).toContain('the server starts without');
  expect(said.join('')).toContain('ENOTDIR');
});
