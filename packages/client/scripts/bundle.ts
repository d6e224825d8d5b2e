/** The client as one file for browsers: an ES module that needs nothing else. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { build } from 'esbuild';

const ENTRY = fileURLToPath(new URL('../src/index.ts', import.meta.url));

/** From the sources, also those of the protocol; with its source map and compressed copies beside it. */
export async function bundleClient(outfile: string): Promise<void> {
  await build({
    entryPoints: [ENTRY],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@llmgine/source'],
    minify: true,
    sourcemap: true,
    legalComments: 'none',
    logLevel: 'error',
  });
  const bytes = await readFile(outfile);
  await writeFile(`${outfile}.br`, await promisify(brotliCompress)(bytes));
  await writeFile(`${outfile}.gz`, await promisify(gzip)(bytes, { level: 9 }));
}

/** What a browser has to fetch of it, in bytes. */
export async function gzippedSize(file: string): Promise<number> {
  return (await stat(`${file}.gz`)).size;
}
