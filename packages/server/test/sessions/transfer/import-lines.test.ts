import { ApiError } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { madeUp } from '../../../../../tests/helpers/exports.ts';
import { ImportLines } from '../../../src/sessions/transfer/import-lines.ts';

const bytes = (line: unknown) => Buffer.from(typeof line === 'string' ? line : JSON.stringify(line));
const [session, message] = madeUp(1);

/** What reading these lines, after that of a session, ends with. */
function read(line: unknown): ApiError | null {
  const lines = new ImportLines();
  lines.read(bytes(session), 1);
  try {
    lines.read(bytes(line), 2);
    return null;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

const withMetadata = (text: string) =>
  JSON.stringify(message).replace('"metadata":{}', `"metadata":{"a":${text}}`);

test.each([
  ['empty arrays', `[${'[],'.repeat(99_999)}[]]`],
  ['empty objects', `[${'{},'.repeat(99_999)}{}]`],
  ['fields', `{${Array.from({ length: 100_001 }, (_, index) => `"${index}":1`).join(',')}}`],
  ['numbers behind a text with quotes', `["\\"",${'0,'.repeat(100_000)}0]`],
])('a line with more than 100,000 values is refused before it is parsed: %s', (_what, text) => {
  expect(read(withMetadata(text))?.message).toBe('Line 2 has more than 100000 values');
});

test('what a text is made of are no values', () => {
  expect(read(withMetadata(JSON.stringify('"\\[{,'.repeat(200_000))))).toBeNull();
  expect(read(withMetadata(`[${'0,'.repeat(90_000)}0]`))).toBeNull();
});

test('a message with very many parts, all wrong, is one error', () => {
  const refused = read({ ...message, parts: Array.from({ length: 50_000 }, () => 0) });

  expect(refused?.message).toBe('Line 2: parts are more than 2000');
  expect(refused?.errors).toHaveLength(1);
});
