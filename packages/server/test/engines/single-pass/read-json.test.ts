import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonValues } from '../../../src/engines/single-pass/read-json.ts';

const first = (text: string) => jsonValues(text).next().value;

test.each([
  ['{"a":1}', { a: 1 }],
  [' [1, 2]\n', [1, 2]],
  ['"text"', 'text'],
  ['null', null],
  ['```json\n{"a": "```"}\n```', { a: '```' }],
  ['Here it is:\n```\n[1]\n```\nAnything else?', [1]],
  ['Sure! {"a": {"b": "}"}} Is that all right?', { a: { b: '}' } }],
  ['I use {braces} and then {"a": 1}.', { a: 1 }],
  ['{"a": "a \\"quoted\\" } word"} and more', { a: 'a "quoted" } word' }],
])('%j means %j', (text, value) => {
  expect(first(text)).toEqual(value);
});

test.each(['', 'No.', '{"a": ', '{a: 1}', '```json\n{"a"\n```', `{"a": ${'x'.repeat(1_000_000)} {}`])(
  'there is no JSON in what is none (%#)',
  (text) => {
    expect([...jsonValues(text)]).toEqual([]);
  },
);

test('any JSON is found, bare, in a fence, and in the middle of prose', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), (json) => {
      const value: unknown = JSON.parse(json);
      expect(first(json)).toEqual(value);
      if (!json.includes('```')) expect(first(`So:\n\`\`\`json\n${json}\n\`\`\`\nRight?`)).toEqual(value);
      if (/^[{[]/.test(json)) expect([...jsonValues(`So: ${json} Right?`)]).toContainEqual(value);
    }),
  );
});

test('all that could be meant is offered, so that a schema can decide', () => {
  expect([...jsonValues('See [1]: {"a": 2}')]).toEqual([[1], { a: 2 }]);
});

test('what is hostile costs no more than it is long', () => {
  const brackets = '['.repeat(900_000);
  const began = process.cpuUsage();
  expect([...jsonValues(brackets)]).toEqual([]);
  expect([...jsonValues('```\n'.repeat(200_000))]).toEqual([]);
  // Quadratic time would be hours.
  expect(process.cpuUsage(began).user).toBeLessThan(20_000_000);
});
