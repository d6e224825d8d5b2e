import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SCRIPT = fileURLToPath(new URL('../../scripts/build-front-end.ts', import.meta.url));

/** What `npm start` builds, of the sources as they are: nothing when it is there already. Several may ask at once. */
export async function builtFrontEnd(...parts: ('client' | 'console')[]): Promise<void> {
  const { stderr } = await promisify(execFile)(process.execPath, [SCRIPT, ...parts], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
  });
  if (stderr.includes('failed')) throw new Error(stderr);
}
