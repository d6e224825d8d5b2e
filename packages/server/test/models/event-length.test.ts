import { expect, test } from 'vitest';
import { EventLength } from '../../src/models/event-length.ts';

function lengths(...chunks: readonly string[]): number[] {
  const event = new EventLength();
  return chunks.map((chunk) => event.count(Buffer.from(chunk)));
}

test('an event grows until its empty line', () => {
  expect(lengths('data: a\n', 'data: b\n', 'data: c\n\nda', 'ta')).toEqual([8, 16, 2, 4]);
});

test.each([
  ['in one chunk', ['data: a\n\n'], 0],
  ['in two chunks', ['data: a\n', '\n'], 0],
  ['with something after it', ['data: a\n', '\nxy'], 2],
  ['with carriage returns', ['data: a\r\n\r\n'], 0],
  ['with carriage returns, byte by byte', ['a', '\r', '\n', '\r', '\n', 'x'], 1],
  ['with an empty chunk in it', ['a\n', '', '\n'], 0],
  ['that is the last of several', ['\n\na\n\nb\nc'], 3],
])('an empty line ends it: %s', (_, chunks, left) => {
  expect(lengths(...chunks).at(-1)).toBe(left);
});

test.each([['a\nb\nc\n'], ['a\r\nb\r\n'], ['\r\r\r']])('nothing else does: %j', (text) => {
  expect(lengths(text)).toEqual([text.length]);
});
