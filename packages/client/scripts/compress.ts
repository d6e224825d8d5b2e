/** Compresses built files once, so that no server has to: each gets a `.br` and a `.gz` beside it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** What is text; source maps are for those who look for a mistake. */
const WORTH_IT = /\.(?:js|css|svg|json|webmanifest)$/;
/** What fits into a packet gains nothing. */
const LEAST_BYTES = 1400;
/** The last two levels take far longer than they save. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };

export function compressFiles(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !WORTH_IT.test(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    if (bytes.byteLength < LEAST_BYTES) continue;
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, BROTLI));
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
}

if (import.meta.main) compressFiles(resolve(process.argv[2] ?? 'dist'));
