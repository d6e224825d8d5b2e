/** What models cost: the price table, and models that say with each answer what it has cost. */
import type { Usage } from '@llmgine/protocol';
import { z } from 'zod';
import type { APIConfig } from '../config.ts';
import type { Model } from './types.ts';

const PER = 1_000_000;
/** Costs are very small numbers; their sums must not drift. */
const DIGITS = 1e10;

const amount = z.number().min(0);
/** The setting `prices`: for a million tokens each. */
const pricesSchema = z.record(
  z.string().regex(/^[^*\s,]*\*?$/, 'must be `provider:model`, or the beginning of one and `*`'),
  z.strictObject({ input: amount, cached_input: amount.optional(), output: amount }),
);

/** Of one model, for one token. */
export interface Price {
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
}

export interface Prices {
  /** Of `provider:model`; null when none is configured. */
  of(model: string): Price | null;
}

/** Throws `ConfigError` when the table in `config` is not one. */
export function readPrices(config: Pick<APIConfig, 'values' | 'refuse'>): Prices {
  const parsed = pricesSchema.safeParse(config.values.prices);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const reason = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message;
    throw config.refuse('prices', `${issue?.path.join('.')}: ${reason}`);
  }
  const exact = new Map<string, Price>();
  const patterns: { readonly prefix: string; readonly price: Price }[] = [];
  for (const [name, { input, cached_input = input, output }] of Object.entries(parsed.data)) {
    const price = { input: input / PER, cachedInput: cached_input / PER, output: output / PER };
    if (name.endsWith('*')) patterns.push({ prefix: name.slice(0, -1), price });
    else exact.set(name, price);
  }
  patterns.sort((a, b) => b.prefix.length - a.prefix.length);
  return {
    of: (model) => exact.get(model) ?? patterns.find(({ prefix }) => model.startsWith(prefix))?.price ?? null,
  };
}

/** The same model, whose usage says what it has cost by the price of the model that answered; without a price, nothing. */
export function pricedModel(model: Model, prices: Prices): Model {
  return {
    id: model.id,
    stream: async (request, sink, signal) => {
      const finish = await model.stream(request, sink, signal);
      const price = finish.usage && prices.of(finish.model ?? model.id);
      return finish.usage && price
        ? { ...finish, usage: { ...finish.usage, cost: costOf(finish.usage, price) } }
        : finish;
    },
  };
}

function costOf({ input_tokens, output_tokens, cached_input_tokens = 0 }: Usage, price: Price): number {
  const cached = Math.min(cached_input_tokens, input_tokens);
  const cost =
    (input_tokens - cached) * price.input + cached * price.cachedInput + output_tokens * price.output;
  return Math.round(cost * DIGITS) / DIGITS;
}
