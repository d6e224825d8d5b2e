/** Where a Chromium is that tests can start. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface ChromiumBinary {
  readonly executablePath: string;
  readonly env: Readonly<Record<string, string>>;
}

const INSTALLED = '/usr/bin/chromium';
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/llmgine-chromium/', import.meta.url));
const UNPACK = `import chromium from '@sparticuz/chromium'; await chromium.executablePath();`;

/** `LLMGINE_TEST_CHROMIUM`, the one that the machine has, or the one that comes with `npm ci`. */
export async function findChromium(): Promise<ChromiumBinary> {
  const named = process.env.LLMGINE_TEST_CHROMIUM;
  if (named !== undefined && named !== '') return { executablePath: named, env: {} };
  if (existsSync(INSTALLED)) return { executablePath: INSTALLED, env: {} };
  const folder = await unpacked();
  return { executablePath: join(folder, 'chromium'), env: { FONTCONFIG_PATH: folder } };
}

/**
 * The package unpacks into the folder for temporary files, and takes a file that exists for a whole one. Several test
 * files start at once: each unpacks into a folder of its own, and the first gives its folder the final name.
 */
async function unpacked(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const { version } = JSON.parse(
    await readFile(join(dirname(entry), '..', 'package.json'), 'utf8'),
  ) as PackageFile;
  const folder = join(CACHE, version);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(join(CACHE, 'unpacking-'));
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', UNPACK], {
      cwd: dirname(fileURLToPath(import.meta.url)),
      env: { PATH: process.env.PATH, TMPDIR: unfinished },
    });
    await writeFile(join(unfinished, 'fonts.conf'), fontConfiguration(folder));
    await rename(unfinished, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

interface PackageFile {
  readonly version: string;
}

/** A machine without fonts shows text, too. */
function fontConfiguration(folder: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>${join(folder, 'fonts')}</dir>
  <cachedir>${join(folder, 'fonts-cache')}</cachedir>
</fontconfig>
`;
}
