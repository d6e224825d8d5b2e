/** The project that `llmgine init` makes: the files in `templates/project`, with its name and our versions in them. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SERVER_VERSION } from '../version.ts';

const TEMPLATE = fileURLToPath(new URL('../../templates/project/', import.meta.url));
const NAME = 'my-llmgine-project';
/** npm leaves such files out of packages, so they are called otherwise there. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: '.gitignore', 'env.example': '.env.example' };
const LONGEST_NAME = 214;

export interface Project {
  readonly folder: string;
  readonly name: string;
  readonly tests: boolean;
}

/** Whether npm takes it as the name of a package. */
export function packageName(name: string): boolean {
  return name.length <= LONGEST_NAME && /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/.test(name);
}

/** Returns the names of the files, in their order. Rejects, and has written nothing then, when one is there already. */
export async function writeProject({ folder, name, tests }: Project): Promise<readonly string[]> {
  const files = await readTemplate(name, tests);
  const taken = [...files.keys()].filter((file) => existsSync(join(folder, file)));
  if (taken.length > 0) throw new Error(`${folder} has ${taken.join(', ')} already; nothing was written`);
  for (const [file, content] of files) {
    const path = join(folder, file);
    await mkdir(dirname(path), { recursive: true });
    // Somebody may have made it since.
    await writeFile(path, content, { flag: 'wx' });
  }
  return [...files.keys()];
}

async function readTemplate(name: string, tests: boolean): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(TEMPLATE, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(TEMPLATE.length).replaceAll('\\', '/'))
    .filter((file) => tests || !file.startsWith('test/'))
    .toSorted();
  const files = new Map<string, string>();
  for (const file of names) {
    const content = (await readFile(join(TEMPLATE, file), 'utf8')).replaceAll(NAME, name);
    files.set(RENAMED[file] ?? file, file === 'package.json' ? manifest(content, tests) : content);
  }
  return files;
}

function manifest(content: string, tests: boolean): string {
  const parsed = JSON.parse(content) as {
    scripts: Record<string, string>;
    dependencies: Record<string, string>;
  };
  parsed.dependencies['@llmgine/api'] = `^${SERVER_VERSION}`;
  if (!tests) delete parsed.scripts.test;
  return `${JSON.stringify(parsed, null, 2)}\n`;
}
