/** Builds beside what is there, and puts it in its place when it is whole: a server that runs always has a console. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { compressFiles } from '../../client/scripts/compress.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/llmgine-console/', import.meta.url));
const [DIST, NEW, OLD] = [join(ROOT, 'dist'), join(CACHE, 'new'), join(CACHE, 'old')];

await build({ root: ROOT, build: { outDir: NEW, emptyOutDir: true } });
compressFiles(NEW);
rmSync(OLD, { recursive: true, force: true });
if (existsSync(DIST)) renameSync(DIST, OLD);
renameSync(NEW, DIST);
rmSync(OLD, { recursive: true, force: true });
