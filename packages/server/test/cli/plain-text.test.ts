import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PlainStream, plainLine, plainText } from '../../src/cli/plain-text.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
const STEERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const hostile = fc
  .array(
    fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom(
        '\u001b[',
        '\u001b]0;',
        '\u0007',
        '\u001b\\',
        '\u001b',
        '\u009b',
        '2J',
        'm',
        '\b',
        '\r',
        '\n',
        '\u009d',
      ),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => pieces.join(''));

test.each([
  ['\u001b[31mred\u001b[0m', 'red'],
  ['a\u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007b', 'alinkb'],
  ['a\u001b]0;title\u001b\\b', 'ab'],
  ['a\u009b2Jb', 'ab'],
  ['a\u001bPq…\u001b\\b', 'ab'],
  ['one\r\ntwo\tthree', 'one\ntwo\tthree'],
  ['over\rwritten', 'overwritten'],
  ['back\b\b\bspace', 'backspace'],
  ['\u202eabc', 'abc'],
  ['Grüße 👩‍👩‍👧 漢字', 'Grüße 👩‍👩‍👧 漢字'],
])('%j is shown as %j', (text, shown) => {
  expect(plainText(text)).toBe(shown);
});

test('whatever comes, and however it is cut, nothing is left that steers a terminal', () => {
  fc.assert(
    fc.property(hostile, fc.array(fc.nat(50)), (text, cuts) => {
      const places = [0, ...cuts.filter((place) => place < text.length).sort((a, b) => a - b), text.length];
      const stream = new PlainStream();
      const shown = places.slice(1).map((end, index) => stream.push(text.slice(places[index], end)));
      expect(shown.join('')).not.toMatch(STEERS);
      expect(plainText(text)).not.toMatch(STEERS);
    }),
    { numRuns: 2000 },
  );
});

test('a sequence that is cut between two pieces is none, and text after it is shown', () => {
  const stream = new PlainStream();

  expect(
    ['a\u001b', ']0;tit', 'le\u0007b', '\u001b[3', '1mc'].map((piece) => stream.push(piece)).join(''),
  ).toBe('abc');
});

test('a sequence without an end does not hold back what follows for ever', () => {
  const stream = new PlainStream();

  expect(`${stream.push('\u001b]0;')}${stream.push('x'.repeat(1000))}${stream.push('the end')}`).toContain(
    'the end',
  );
});

test('a line is one line, and cut between characters', () => {
  expect(plainLine(' a\n\tb\u001b[2J  c ', 10)).toBe('a b c');
  expect(plainLine('👍👍👍👍', 3)).toBe('👍👍…');
});
