/** The code in the guides is the code of examples/guide, which is type-checked and has tests of its own. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const sources = globSync('examples/guide/*.ts', { cwd: ROOT }).map(read);

describe.each(globSync('docs/guide/*.md', { cwd: ROOT }))('%s', (page) => {
  const blocks = [...read(page).matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => String(match[1]));

  test.each(blocks.map((block) => [block.split('\n')[0], block]))('%s … is tested code', (_line, block) => {
    expect(sources.filter((source) => source.includes(block))).toHaveLength(1);
  });
});

test('there are guides with code', () => {
  expect(read('docs/guide/extending.md')).toContain('```ts');
});
