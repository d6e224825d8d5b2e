/** `llmgine init`: what it makes is a project whose tests pass. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import rootManifest from '../../../../package.json' with { type: 'json' };
import { tempDir } from '../../../../tests/helpers/app.ts';
import manifest from '../../package.json' with { type: 'json' };
import { KEYS, openTerminal, runCli } from './terminal.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const FILES = [
  '.env.example',
  '.gitignore',
  'README.md',
  'package.json',
  'src/application.ts',
  'src/engine.ts',
  'src/main.ts',
  'src/tool.ts',
  'test/engine.test.ts',
  'test/tool.test.ts',
  'tsconfig.json',
];

/** The packages of this repository in place of those that npm would install. */
async function linkPackages(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '@llmgine'), { recursive: true });
  await mkdir(join(modules, '@types'));
  await symlink(join(ROOT, 'packages/server'), join(modules, '@llmgine/api'));
  for (const name of ['zod', '@types/node']) {
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
}

async function run(folder: string, program: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    cwd: folder,
    env: {
      HOME: folder,
      PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
      NODE_OPTIONS: '--conditions=@llmgine/source',
    },
  });
  return stdout;
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

test('the tests of a new project pass, and so does its type check', { timeout: 120_000 }, async () => {
  const parent = await tempDir();
  const { code, stdout, stderr } = await runCli(['init', 'My Shop', '--yes'], { cwd: parent });
  const folder = join(parent, 'My Shop');

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain("cd 'My Shop' && npm install && npm test && npm start");
  expect(await filesIn(folder)).toEqual(FILES);
  const made = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  expect(made.name).toBe('my-shop');
  expect(made.dependencies['@llmgine/api']).toBe(`^${manifest.version}`);

  await linkPackages(folder);
  // Of the packages, their sources are read here, which are stricter than the project has to be.
  const strict = ['--exactOptionalPropertyTypes', '--customConditions', '@llmgine/source'];
  await run(folder, 'tsc', ...strict);
  const printed = await run(folder, 'npm', 'test');
  expect(printed).toMatch(/ pass 3$/m);
  expect(printed).toMatch(/ fail 0$/m);
});

test('a new project that cannot start says why in one line', async () => {
  const folder = await tempDir();
  await runCli(['init', '--yes', '--name', 'shop'], { cwd: folder });
  await linkPackages(folder);
  const wrong = spawnSync(process.execPath, ['--conditions=@llmgine/source', 'src/main.ts'], {
    cwd: folder,
    env: { LLMGINE_API_PORT: 'many' },
    encoding: 'utf8',
  });

  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toMatch(/^shop: LLMGINE_API_PORT is "many", but .*\n$/);
});

test('its versions are those of this repository', async () => {
  const template = JSON.parse(
    await readFile(join(import.meta.dirname, '../../templates/project/package.json'), 'utf8'),
  );

  expect(template.dependencies.zod).toBe(manifest.dependencies.zod);
  expect(template.engines.node).toBe(manifest.engines.node);
  for (const [name, range] of Object.entries(template.devDependencies)) {
    expect(range, name).toBe((rootManifest.devDependencies as Record<string, string>)[name]);
  }
});

test('nothing is overwritten, and nothing is written beside what is there', async () => {
  const folder = await tempDir();
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, 'src/engine.ts'), 'mine');

  const { code, stderr } = await runCli(['init', '--yes'], { cwd: folder });

  expect(code).toBe(1);
  expect(stderr).toBe('llmgine: . has src/engine.ts already; nothing was written\n');
  expect(await filesIn(folder)).toEqual(['src/engine.ts']);
});

test('what is there and not in the way stays', async () => {
  const folder = await tempDir();
  await writeFile(join(folder, 'notes.txt'), 'mine');

  const { code } = await runCli(['init', '--yes', '--name', '@me/shop', '--no-example-tests'], {
    cwd: folder,
  });

  expect(code).toBe(0);
  const expected = [...FILES.filter((file) => !file.startsWith('test/')), 'notes.txt'].sort();
  expect(await filesIn(folder)).toEqual(expected);
  expect(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))).toMatchObject({
    name: '@me/shop',
  });
});

test('for programs it says what was written', async () => {
  const folder = await tempDir();

  const { stdout } = await runCli(['init', 'shop', '--json'], { cwd: folder });
  const printed = JSON.parse(stdout);

  expect(printed).toMatchObject({ name: 'shop', folder: expect.stringMatching(/\/shop$/) });
  expect(printed.files.toSorted()).toEqual(FILES);
});

test.each(['Über', 'a b', '../x', '-x', 'x'.repeat(215)])('%j is no name', async (name) => {
  const { code, stderr } = await runCli(['init', '--yes', `--name=${name}`]);

  expect(code).toBe(2);
  expect(stderr).toContain('--name is');
});

test('on a terminal it asks, with something to begin from', async () => {
  const folder = await tempDir();
  const terminal = await openTerminal(['init'], { PWD: folder });

  await terminal.shows('Where?');
  terminal.type(KEYS.enter);
  await terminal.shows('What is the package called?');
  terminal.type(KEYS.enter);
  await terminal.shows('With tests?');
  terminal.type(KEYS.enter);
  await terminal.shows('files written');

  expect(await terminal.exited).toBe(0);
  expect(await filesIn(join(folder, 'my-llmgine-project'))).toEqual(FILES);
});

test('what is typed is what is taken, not put behind what was proposed', async () => {
  const folder = await tempDir();
  const terminal = await openTerminal(['init'], { PWD: folder });

  await terminal.shows('Where?');
  terminal.type(`shop${KEYS.enter}`);
  await terminal.shows('What is the package called?');
  terminal.type(`web-shop${KEYS.enter}`);
  await terminal.shows('With tests?');
  terminal.type(KEYS.enter);
  await terminal.shows('cd shop && npm install');

  expect(await terminal.exited).toBe(0);
  const made = JSON.parse(await readFile(join(folder, 'shop/package.json'), 'utf8'));
  expect(made.name).toBe('web-shop');
});

test('Ctrl-C at a question writes nothing', async () => {
  const folder = await tempDir();
  const terminal = await openTerminal(['init'], { PWD: folder });

  await terminal.shows('Where?');
  terminal.type(KEYS.ctrlC);

  expect(await terminal.exited).toBe(130);
  expect(await filesIn(folder)).toEqual([]);
});
