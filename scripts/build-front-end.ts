/**
 * Builds the client for browsers and the console when they are stale, or only those of them that are named. Never fails: a
 * server without a console is better than none, and its page says what to do.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildStale, type Part } from './stale-parts.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CLIENT_SOURCES = ['packages/protocol/src', 'packages/client/src', 'packages/client/package.json'];

const PARTS: Readonly<Record<string, Part>> = {
  client: {
    name: 'the browser client',
    dist: 'packages/client/dist',
    owns: false,
    sources: [...CLIENT_SOURCES, 'packages/client/scripts'],
    build: async (folder) => {
      const { bundleClient } = await import('../packages/client/scripts/bundle.ts');
      await bundleClient(join(folder, 'browser.js'));
    },
  },
  console: {
    name: 'the console',
    dist: 'packages/console/dist',
    owns: true,
    sources: [
      ...CLIENT_SOURCES,
      'package-lock.json',
      'packages/client/scripts',
      'packages/console/src',
      'packages/console/public',
      'packages/console/index.html',
      'packages/console/package.json',
      'packages/console/vite.config.ts',
    ],
    build: async (folder) => {
      const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
      await promisify(execFile)(
        process.execPath,
        [vite, 'build', '--logLevel', 'warn', '--emptyOutDir', '--outDir', folder],
        { cwd: join(ROOT, 'packages/console'), env: { ...process.env, NO_COLOR: '1' } },
      );
      const { compressFiles } = await import('../packages/client/scripts/compress.ts');
      compressFiles(folder);
    },
  },
};

const { NODE_ENV, LLMGINE_API_CONSOLE } = process.env;
const named = process.argv.slice(2);
const parts = Object.entries(PARTS).filter(
  ([name]) =>
    (named.length === 0 || named.includes(name)) && (name !== 'console' || LLMGINE_API_CONSOLE !== 'false'),
);
// In production all is built already, and what builds it is not installed.
if (NODE_ENV !== 'production') {
  await buildStale(
    parts.map(([, part]) => part),
    {
      root: ROOT,
      cache: join(ROOT, 'node_modules/.cache/llmgine-front-end'),
      say: (text) => process.stderr.write(text),
    },
  );
}
