/** Adds the file for browsers to what is published. */
import { fileURLToPath } from 'node:url';
import { bundleClient, gzippedSize } from './bundle.ts';

const FILE = fileURLToPath(new URL('../dist/browser.js', import.meta.url));

await bundleClient(FILE);
process.stdout.write(`dist/browser.js: ${((await gzippedSize(FILE)) / 1000).toFixed(1)} kB gzipped\n`);
