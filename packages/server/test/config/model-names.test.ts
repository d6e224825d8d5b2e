import { expect, test } from 'vitest';
import { MODEL_NAMES } from '../../src/config/model-names.ts';

test.each([
  'openai',
  'openai:gpt-5-mini',
  'a:b,c:d',
  'a:b , c:d,\te',
  'ollama:library/llama3:8b',
  'a:two words, b',
  'a:b ',
])('%j names models', (names) => {
  expect(names).toMatch(MODEL_NAMES);
});

test.each(['', ':', 'a:', 'a: ', ' a', 'A:b', 'a,', ',a', 'a,,b', 'a:b,!', 'a b'])(
  '%j names none',
  (names) => {
    expect(names).not.toMatch(MODEL_NAMES);
  },
);

test.each(['a:b    ,', 'a,', 'a :', 'a:b c ,', 'a:    '])(
  'a text of very many %j is refused before anybody notices',
  { timeout: 2000 },
  (piece) => {
    expect(`${piece.repeat(100 / piece.length)}!`).not.toMatch(MODEL_NAMES);
  },
);
