/** The code in the guides is the code of examples/guide*, which is type-checked and has tests of its own. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const sources = globSync('examples/guide*/*.{ts,tsx}', { cwd: ROOT }).map(read);

const blocks = globSync('docs/guide/*.md', { cwd: ROOT }).flatMap((page) =>
  [...read(page).matchAll(/^```tsx?\n(.*?)^```$/gms)].map(([, block = '']) => ({
    page,
    line: block.split('\n')[0],
    block,
  })),
);

test.each(blocks)('$page: $line … is tested code', ({ block }) => {
  expect(sources.filter((source) => source.includes(block))).toHaveLength(1);
});

test.each(['extending', 'engines', 'front-end'])('the guide %s has code', (page) => {
  expect(read(`docs/guide/${page}.md`)).toContain('```ts');
});
