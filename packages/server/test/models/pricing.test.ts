import type { Usage } from '@llmgine/protocol';
import { describe, expect, test } from 'vitest';
import { APIConfig, ConfigError } from '../../src/config.ts';
import { pricedModel, readPrices } from '../../src/models/pricing.ts';
import type { ModelFinish } from '../../src/models/types.ts';
import { RecordingSink } from './recording-sink.ts';

const read = (prices: object) =>
  readPrices(new APIConfig({ prices: prices as Record<string, unknown> }, { env: {} }));
const price = (input: number) => ({ input, output: 2 * input });
const MILLION = 1_000_000;

describe('a price', () => {
  const prices = read({
    'openai:gpt-5': price(1),
    'openai:gpt-5*': price(2),
    'openai:gpt-5-mini*': price(3),
    'openai:*': price(4),
    '*': price(5),
  });

  test.each([
    ['openai:gpt-5', 1],
    ['openai:gpt-5-pro', 2],
    ['openai:gpt-5-mini', 3],
    ['openai:gpt-5-mini-2026', 3],
    ['openai:o9', 4],
    ['anthropic:claude', 5],
  ])('of %s is that of the longest name that fits', (model, expected) => {
    expect((prices.of(model)?.input ?? 0) * MILLION).toBeCloseTo(expected, 10);
  });

  test('of a model without one is not known', () => {
    expect(read({ 'openai:gpt-5': price(1) }).of('openai:gpt-5-mini')).toBeNull();
  });
});

describe('a priced model', () => {
  const prices = read({
    'a:x': { input: 2, cached_input: 0.5, output: 10 },
    'b:y': { input: 100, output: 0 },
  });
  const finishOf = async (usage: Usage | null, answeredBy?: string): Promise<ModelFinish> => {
    const finish = { finishReason: 'stop' as const, usage, ...(answeredBy ? { model: answeredBy } : {}) };
    const model = pricedModel({ id: 'a:x', stream: async () => finish }, prices);
    return model.stream({ messages: [] }, new RecordingSink(), new AbortController().signal);
  };
  const usage = (input: number, output: number, extra: Partial<Usage> = {}): Usage => ({
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    ...extra,
  });

  test.each([
    ['input and output', usage(1000, 100), 0.003],
    ['cached input', usage(1000, 100, { cached_input_tokens: 600 }), 0.0021],
    ['reasoning as part of the output', usage(1000, 100, { reasoning_tokens: 90 }), 0.003],
    ['no more cached input than there is input', usage(10, 0, { cached_input_tokens: 1000 }), 0.000005],
    ['one token', usage(1, 0), 0.000002],
    ['nothing', usage(0, 0), 0],
  ])('counts %s', async (_, counted, cost) => {
    expect((await finishOf(counted)).usage).toEqual({ ...counted, cost });
  });

  test('goes by the model that answered', async () => {
    expect((await finishOf(usage(10, 10, { cached_input_tokens: 5 }), 'b:y')).usage?.cost).toBe(0.001);
    expect((await finishOf(usage(10, 10), 'c:z')).usage).toEqual(usage(10, 10));
  });

  test('says no cost where nobody counted', async () => {
    expect((await finishOf(null)).usage).toBeNull();
  });
});

test.each([
  [{ 'a:x': 5 }, /prices is .* but a:x: /],
  [{ 'a:x': { input: -1, output: 1 } }, /a:x\.input: /],
  [{ 'a:x': { input: 1 } }, /a:x\.output: /],
  [{ 'a:x': { input: 1, output: 1, cached: 1 } }, /a:x: .*cached/],
  [{ 'a:*x': { input: 1, output: 1 } }, /a:\*x: must be `provider:model`/],
])('%j is refused in one line that says what is wrong', (prices, message) => {
  const refused = () => read(prices);

  expect(refused).toThrow(ConfigError);
  expect(refused).toThrow(message);
  expect(refused).not.toThrow(/\n/);
});
