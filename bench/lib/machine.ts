/** On what a run was measured. */
import { readFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  readonly cpus: number;
  readonly model: string;
  /** GiB. */
  readonly memory: number;
  readonly os: string;
  readonly versions: Readonly<Record<string, string>>;
}

const ROOT = join(import.meta.dirname, '..', '..');
const PACKAGES = ['ws', 'fastify', 'ai', 'undici'];

/** Without Postgres where none was started. */
export function machine(postgres?: string): Machine {
  const [cpu] = cpus();
  const { node, v8, sqlite = 'unknown' } = process.versions;
  return {
    cpus: cpus().length,
    model: cpu?.model.trim() ?? 'unknown',
    memory: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${release()} ${arch()}`,
    versions: {
      '@llmgine/api': versionOf('packages/server'),
      Node: node,
      V8: v8,
      SQLite: sqlite,
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(join('node_modules', name))])),
      ...(postgres !== undefined && { Postgres: postgres }),
    },
  };
}

function versionOf(folder: string): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  return version;
}
