/** Takes away what was built before, but for the file for browsers: servers that run go on serving it until there is another. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

const built = existsSync(DIST) ? readdirSync(DIST) : [];
for (const name of built.filter((one) => !/^(?:browser\.js|\.sources)/.test(one))) {
  rmSync(join(DIST, name), { recursive: true });
}
