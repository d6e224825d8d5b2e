/** The client as one file: what it holds, and what it costs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDir } from '../../../tests/helpers/app.ts';
import { openPage } from '../../../tests/helpers/browser.ts';
import { servePages } from '../../../tests/helpers/page-server.ts';
import { bundleClient, gzippedSize } from '../scripts/bundle.ts';

/** Half a second at 400 kbit/s, which is what browsers call slow 3G; a schema library alone would be more. */
const BUDGET_BYTES = 20_000;

async function built(): Promise<string> {
  const file = join(await tempDir(), 'browser.js');
  await bundleClient(file);
  return file;
}

test('it is small, has a source map, and no schema library', async () => {
  const file = await built();
  const text = await readFile(file, 'utf8');

  const size = await gzippedSize(file);
  expect(size).toBeLessThan(BUDGET_BYTES);
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain(`${Math.round(size / 1000)} kB gzipped`);
  expect(text).toMatch(/\/\/# sourceMappingURL=browser\.js\.map\n$/);
  const { sources } = JSON.parse(await readFile(`${file}.map`, 'utf8')) as { sources: string[] };
  expect(sources.filter((source) => source.includes('node_modules'))).toEqual([]);
});

test('it names what the package names', async () => {
  const [file, source] = await Promise.all([built(), import('@llmgine/client')]);
  const module = (await import(file)) as object;
  expect(Object.keys(module).sort()).toEqual(Object.keys(source).sort());
});

test('a browser takes it as it is', async () => {
  const client = await readFile(await built(), 'utf8');
  const url = await servePages({
    '/': `<!doctype html><script type="module">
      import { LlmgineClient } from '/client.js';
      document.title = new LlmgineClient().url;
    </script>`,
    '/client.js': client.replace(/\/\/# sourceMappingURL.*/, ''),
  });
  const page = await openPage();
  await page.goto(url);
  await page.waitForFunction('document.title !== ""');
  expect(await page.title()).toBe(url);
});
