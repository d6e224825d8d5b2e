/** Adds the file for browsers to what is published: built beside the one that is there, and put in its place when it is whole. */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleClient, gzippedSize } from './bundle.ts';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

const folder = mkdtempSync(join(DIST, '.building-'));
await bundleClient(join(folder, 'browser.js'));
for (const name of readdirSync(folder)) renameSync(join(folder, name), join(DIST, name));
rmSync(folder, { recursive: true });
const size = await gzippedSize(join(DIST, 'browser.js'));
process.stdout.write(`dist/browser.js: ${(size / 1000).toFixed(1)} kB gzipped\n`);
