/** The lint rules that keep the house in order do fire: each fixture is linted with the project's own settings. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const SERVER = 'packages/server/src';

interface Fixture {
  readonly file: string;
  readonly code: string;
  /** Rules that must report the file; none means that it is fine. */
  readonly rules: readonly string[];
}

const imports = (file: string, code: string, ...rules: string[]): Fixture => ({ file, code, rules });

const FIXTURES: readonly Fixture[] = [
  // The right way.
  imports(`${SERVER}/config.ts`, 'export const config = 1;'),
  imports(`${SERVER}/storage/types.ts`, "export { config } from '../config.ts';"),
  imports(`${SERVER}/sessions/down.ts`, "export type { config } from '../storage/types.ts';"),
  imports(`${SERVER}/engines/tool-chat/down.ts`, "export { tool } from '../../tools/registry.ts';"),
  imports(`${SERVER}/engines/tool-chat/own.ts`, "export { tool } from '../runs.ts';"),
  imports(`${SERVER}/engines/service.ts`, "import '../storage/types.ts';"),
  imports(`${SERVER}/engines/runs.ts`, "export { tool } from '../tools/registry.ts';"),
  imports(`${SERVER}/tools/registry.ts`, 'export const tool = 1;'),
  imports(`${SERVER}/app.ts`, "export { up } from './http/server.ts';"),
  imports(`${SERVER}/http/server.ts`, "export { config as up } from '../sessions/down.ts';"),
  imports(`${SERVER}/testing/app.ts`, "export { up } from '../app.ts';"),
  imports('packages/server/test/any.test.ts', "export * from '../src/http/server.ts';"),
  imports('packages/client/src/down.ts', "export { errors } from '@llmgine/protocol';"),

  // The wrong way, in every form an import has.
  imports(`${SERVER}/storage/value.ts`, "export { tool } from '../tools/registry.ts';", 'plugin'),
  imports(
    `${SERVER}/storage/type.ts`,
    "import type { A } from '../runs/a.ts';\nexport type B = A;",
    'plugin',
  ),
  imports(`${SERVER}/storage/dynamic.ts`, "export const load = () => import('../runs/a.ts');", 'plugin'),
  imports(`${SERVER}/storage/inline.ts`, "export type B = import('../runs/a.ts').A;", 'plugin'),
  imports(`${SERVER}/storage/security.ts`, "import '../security/principal.ts';", 'plugin'),
  imports(`${SERVER}/storage/sqlite/deep.ts`, "import '../../sessions/down.ts';", 'plugin'),
  imports(`${SERVER}/engines/tool-chat/storage.ts`, "import '../../storage/types.ts';", 'plugin'),
  imports(`${SERVER}/sessions/engines.ts`, "import '../engines/runs.ts';", 'plugin'),
  imports(`${SERVER}/runs/handlers.ts`, "import '../handlers/ping.ts';", 'plugin'),
  imports(`${SERVER}/ws/http.ts`, "import '../http/server.ts';", 'plugin'),
  imports(`${SERVER}/http/app.ts`, "import '../app.ts';", 'plugin'),
  imports(`${SERVER}/http/testing.ts`, "import '../testing/app.ts';", 'plugin'),
  imports(`${SERVER}/main.ts`, "import './testing/app.ts';", 'plugin'),
  imports(`${SERVER}/index.ts`, "export { up } from './testing/app.ts';", 'plugin'),
  imports(`${SERVER}/testing/index.ts`, "import '../index.ts';", 'plugin'),
  imports(`${SERVER}/newcomer/a.ts`, "import '../storage/types.ts';", 'plugin'),
  imports(`${SERVER}/runs/itself.ts`, "import '@llmgine/api';", 'plugin'),
  imports(`${SERVER}/runs/past.ts`, "import '../../../protocol/src/errors.ts';", 'plugin'),
  imports('packages/protocol/src/up.ts', "import '@llmgine/client';", 'plugin'),
  imports('packages/client/src/up.ts', "import '@llmgine/api';", 'plugin'),

  // In circles. Types may: they have no order of loading.
  imports(`${SERVER}/tools/chicken.ts`, "export { egg as chicken } from './egg.ts';", 'noImportCycles'),
  imports(`${SERVER}/tools/egg.ts`, "export { chicken as egg } from './chicken.ts';", 'noImportCycles'),
  imports(`${SERVER}/tools/left.ts`, "import type { R } from './right.ts';\nexport type L = R[];"),
  imports(`${SERVER}/tools/right.ts`, "import type { L } from './left.ts';\nexport type R = L[];"),

  // Promises that nobody looks at, also when the type comes from another file or from a package.
  imports(`${SERVER}/tools/work.ts`, 'export async function work(): Promise<void> {}'),
  imports(`${SERVER}/tools/awaited.ts`, "import { work } from './work.ts';\nawait work();"),
  imports(
    `${SERVER}/tools/floating.ts`,
    "import { work } from './work.ts';\nwork();",
    'no-floating-promises',
  ),
  imports(
    `${SERVER}/tools/package.ts`,
    "import { mkdir } from 'node:fs/promises';\nmkdir('a');",
    'no-floating-promises',
  ),
  imports(
    `${SERVER}/tools/misused.ts`,
    "import { work } from './work.ts';\nexport const sure = () => (work() ? 1 : 2);",
    'no-misused-promises',
  ),

  // House style.
  imports(`${SERVER}/tools/any.ts`, 'export const any = (value: any) => value;', 'noExplicitAny'),
  imports(`${SERVER}/tools/log.ts`, "console.error('lost');", 'noConsole'),
  imports(`${SERVER}/tools/default.ts`, 'export default 1;', 'noDefaultExport'),
  imports(`${SERVER}/tools/protocol.ts`, "export { join } from 'path';", 'useNodejsImportProtocol'),
  imports(
    `${SERVER}/tools/bang.ts`,
    'export const bang = (a: string[]) => a[0]!.length;',
    'noNonNullAssertion',
  ),
  imports(`${SERVER}/tools/kind.ts`, 'export enum Kind { A }', 'noEnum'),
  imports(`${SERVER}/tools/unused.ts`, "import { join } from 'node:path';", 'noUnusedImports'),
  imports(`${SERVER}/tools/CamelCase.ts`, 'export const a = 1;', 'useFilenamingConvention'),
];

/** What `biome` and `oxlint` print as JSON, as far as it is read here. */
interface Report {
  readonly diagnostics: readonly {
    readonly category?: string;
    readonly location?: { readonly path: string };
    readonly code?: string;
    readonly filename?: string;
  }[];
}

let folder: string;
const reported = new Map<string, Set<string>>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llmgine-lint-'));
  for (const settings of ['biome.json', 'lint', '.oxlintrc.json', 'tsconfig.base.json', 'tsconfig.json']) {
    await cp(join(ROOT, settings), join(folder, settings), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, code } of FIXTURES) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), `${code}\n`);
  }
  await Promise.all([
    lint('biome', ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', 'packages']),
    lint('oxlint', ['--format=json', 'packages']),
  ]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function lint(program: string, args: string[]): Promise<void> {
  const output = await new Promise<string>((resolve, reject) => {
    execFile(join(ROOT, 'node_modules/.bin', program), args, { cwd: folder }, (error, stdout) => {
      // Findings are exit code 1; anything else means that the linter itself did not run.
      if (error && error.code !== 1) reject(error);
      else resolve(stdout);
    });
  });
  for (const found of (JSON.parse(output) as Report).diagnostics) {
    const file = found.filename ?? found.location?.path ?? '';
    const rule = /[\w-]+(?=\)?$)/.exec(found.code ?? found.category ?? '')?.[0] ?? '';
    reported.set(file, (reported.get(file) ?? new Set()).add(rule));
  }
}

test.each(FIXTURES)('$file: $rules', ({ file, rules }) => {
  expect([...(reported.get(file) ?? [])]).toEqual(rules);
});
