import { execFileSync } from 'node:child_process';
import * as protocol from '@llmgine/protocol';
import * as wire from '@llmgine/protocol/wire';
import { expect, test } from 'vitest';

/** Prints the addresses of all modules that are loaded for an entry. */
const LIST_MODULES = `
  import { registerHooks } from 'node:module';
  const urls = [];
  registerHooks({ load: (url, context, next) => { urls.push(url); return next(url, context); } });
  await import(process.argv[1]);
  console.log(JSON.stringify(urls));
`;

function modulesOf(entry: string): string[] {
  const args = ['--conditions=@llmgine/source', '--input-type=module', '--eval', LIST_MODULES, entry];
  const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const;
  return JSON.parse(execFileSync(process.execPath, args, options)) as string[];
}

test('the wire entry is this list, the same things as in the whole', () => {
  expect(Object.keys(wire).sort()).toEqual([
    'ANSWERS',
    'ANSWER_OUTCOMES',
    'AUDIT_ACTIONS',
    'ApiError',
    'BEARER_SUBPROTOCOL_PREFIX',
    'CLOSE_CODES',
    'CLOSE_CODE_MEANINGS',
    'ERRORS',
    'ERROR_CODES',
    'PROTOCOL_VERSION',
    'REQUEST_KINDS',
    'REQUEST_OUTCOMES',
    'RUN_OUTCOMES',
    'RUN_STATUSES',
    'SERVER_INITIATED',
    'SUBPROTOCOL',
    'TICKET_SUBPROTOCOL_PREFIX',
    'appendText',
    'formatCursor',
    'isFinished',
    'messageText',
    'parseCursor',
  ]);
  expect(protocol).toMatchObject(wire);
});

test('the wire entry loads no schema library', () => {
  const isZod = (url: string) => url.includes('/zod/');
  expect(modulesOf('@llmgine/protocol').some(isZod)).toBe(true);
  const modules = modulesOf('@llmgine/protocol/wire');
  expect(modules.length).toBeGreaterThan(5);
  expect(modules.filter(isZod)).toEqual([]);
});
