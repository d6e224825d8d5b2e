import type { MessagePart } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { estimateTokens } from '../../src/models/token-estimate.ts';

function tokensOf(...parts: MessagePart[]): number {
  return estimateTokens({ messages: [{ role: 'user', parts }] });
}

const text = (said: string): MessagePart => ({ type: 'text', text: said });

test.each([
  // [what, text, least, most], as the tokenisers of the large providers count
  ['English', 'The quick brown fox jumps over the lazy dog. '.repeat(100), 800, 1300],
  ['Chinese', '敏捷的棕色狐狸跳过懒狗。'.repeat(100), 700, 1800],
  ['Russian', 'Быстрая лиса прыгает через собаку. '.repeat(100), 700, 2200],
])('%s is estimated near what providers count', (_what, said, least, most) => {
  expect(tokensOf(text(said))).toBeGreaterThan(least);
  expect(tokensOf(text(said))).toBeLessThan(most);
});

test('everything that is sent counts: the system, tools, calls and results', () => {
  const base = tokensOf(text('Hi'));
  const long = 'x'.repeat(4000);

  expect(estimateTokens({ system: long, messages: [] })).toBeGreaterThanOrEqual(1000);
  expect(
    estimateTokens({ messages: [], tools: [{ name: 'a', description: long, parameters: {} }] }),
  ).toBeGreaterThanOrEqual(1000);
  const call = { tool_call_id: '1', tool_name: 'a' };
  expect(tokensOf({ type: 'tool_call', ...call, arguments: { long } })).toBeGreaterThan(base + 900);
  expect(tokensOf({ type: 'tool_result', ...call, result: long, is_error: false })).toBeGreaterThan(
    base + 900,
  );
  expect(tokensOf({ type: 'reasoning', text: long })).toBeGreaterThan(base + 900);
});

test('a text file counts as what it says, an image as an image', () => {
  const data = Buffer.from('x'.repeat(40_000)).toString('base64');

  expect(tokensOf({ type: 'file', mime_type: 'text/plain', data })).toBeGreaterThan(9000);
  expect(tokensOf({ type: 'file', mime_type: 'image/png', data })).toBeLessThan(3000);
});
