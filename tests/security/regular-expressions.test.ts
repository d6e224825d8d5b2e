/** No text that somebody else has written makes a regular expression run for long. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkSync } from 'recheck';
import { parseAst } from 'vite';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** Their time grows with the square or worse of the text, which is short for the reason that is given. */
const BOUNDED: Readonly<Record<string, string>> = {
  'packages/client/src/client.ts': 'an address that the program gives',
  'packages/server/src/cli/plain-text.ts': 'the last 256 characters of a piece of a stream',
  'packages/server/src/config/environment.ts': 'names of the own environment',
  'packages/server/src/models/ai-sdk-providers.ts': 'an address of the configuration',
  'packages/server/src/models/demo-intents.ts': 'at most 1000 characters of a prompt',
  'packages/server/src/models/demo-question.ts': 'at most 1000 characters of a prompt',
  'packages/server/src/models/local-model.ts': 'an address of the configuration',
  'packages/server/src/models/model-error.ts': 'the first 16 KiB of an error of a provider',
  'packages/server/src/models/openai-compatible.ts': 'an address of the configuration',
  'packages/server/src/models/transcription-openai.ts': 'an address of the configuration',
  'packages/server/src/security/jwt/unique-names.ts': 'valid JSON, in which every string ends',
  'packages/server/src/tools/fetch-url/web-body.ts': 'the first 1024 bytes of a page',
  'packages/server/src/tools/mcp/expand-variables.ts': 'the configuration',
};

interface Found {
  readonly file: string;
  readonly pattern: string;
  readonly flags: string;
}

function regularExpressions(): Found[] {
  const files = globSync('packages/*/src/**/*.{ts,tsx}', { cwd: ROOT });
  const found = files.flatMap((file) => {
    const lang = file.endsWith('x') ? 'tsx' : 'ts';
    return literals(parseAst(readFileSync(join(ROOT, file), 'utf8'), { lang })).map((regex) => ({
      file,
      ...regex,
    }));
  });
  return [...new Map(found.map((one) => [`${one.file} /${one.pattern}/${one.flags}`, one])).values()];
}

/** All regular expressions of a syntax tree. */
function literals(node: unknown): { pattern: string; flags: string }[] {
  if (typeof node !== 'object' || node === null) return [];
  if ('regex' in node) return [node.regex as { pattern: string; flags: string }];
  return Object.values(node).flatMap(literals);
}

test('check 29: the time of every regular expression grows with its text, or the text is short', {
  timeout: 240_000,
}, () => {
  const all = regularExpressions();
  const slow = all.filter(({ pattern, flags }) => {
    const { status } = checkSync(pattern, flags.replace('v', 'u'), { randomSeed: 0, timeout: 60_000 });
    return status !== 'safe';
  });

  expect(all.length).toBeGreaterThan(100);
  expect(slow.filter(({ file }) => BOUNDED[file] === undefined)).toEqual([]);
  // A reason without a regular expression is one for whatever comes next.
  const files = new Set(slow.map(({ file }) => file));
  expect(Object.keys(BOUNDED).filter((file) => !files.has(file))).toEqual([]);
});
