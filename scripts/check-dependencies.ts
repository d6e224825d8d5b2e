/** Fails when docs/reference/dependencies.md and the package.json files name different packages. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const PAGE = 'docs/reference/dependencies.md';
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;

type Manifest = Partial<Record<(typeof KINDS)[number], Record<string, string>>>;

const used = new Set(
  ['package.json', ...globSync('{packages,examples}/*/package.json', { cwd: ROOT })].flatMap((file) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Manifest;
    return KINDS.flatMap((kind) => Object.keys(manifest[kind] ?? {}));
  }),
);
const described = new Set(
  [...readFileSync(join(ROOT, PAGE), 'utf8').matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? ''),
);

const missing = [...used.difference(described)].map((name) => `${name} has no row in ${PAGE}`);
const stale = [...described.difference(used)].map(
  (name) => `${name} is in ${PAGE}, but nothing depends on it`,
);
for (const problem of [...missing, ...stale]) console.error(problem);
if (missing.length + stale.length > 0) process.exitCode = 1;
