import { formatCursor, parseCursor } from '@llmgine/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const epoch = fc.stringMatching(/^[0-9a-zA-Z_-]{4,32}$/);
const seq = fc.maxSafeNat().filter((value) => value < 10 ** 16);

test('a cursor is what it was made from', () => {
  fc.assert(
    fc.property(epoch, seq, (epoch, seq) => {
      const cursor = formatCursor(epoch, seq);
      expect(cursor.length).toBeLessThanOrEqual(64);
      expect(parseCursor(cursor)).toEqual({ epoch, seq });
    }),
  );
});

test('a text is no cursor, or exactly the one that its parts make', () => {
  const almost = fc
    .tuple(epoch, fc.constantFrom(':', '::', '', ' :'), fc.string())
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.string(), almost), (text) => {
      const position = parseCursor(text);
      if (position) expect(formatCursor(position.epoch, position.seq)).toBe(text);
    }),
  );
});

test.each([
  '',
  ':',
  'abcd',
  'abcd:',
  ':7',
  'abc:7',
  'abcd:-1',
  'abcd:+1',
  'abcd:01',
  'abcd:1.5',
  'abcd:1e3',
  'abcd:0x10',
  'abcd:７',
  'abcd:9007199254740992',
  'abcd:99999999999999999999',
  'abcd:7\n',
  ' abcd:7',
  'ab cd:7',
  'ab:cd:7',
  `${'a'.repeat(33)}:7`,
  '../../x:7',
])('%j is no cursor', (text) => {
  expect(parseCursor(text)).toBeNull();
});

test('the largest place in a log is 2^53 - 1', () => {
  expect(parseCursor('abcd:9007199254740991')).toEqual({ epoch: 'abcd', seq: Number.MAX_SAFE_INTEGER });
});
