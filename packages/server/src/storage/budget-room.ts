/** Whether a call fits into its budgets, and how much of an answer there is room for. */
import {
  type Amounts,
  BUDGET_SCOPES,
  type BudgetScope,
  type Budgets,
  type Demand,
  type Exceeded,
  type Grant,
  NOTHING,
  type TokenPrice,
} from './budget.ts';
import { roundCost } from './usage.ts';

/** An answer of fewer tokens is of no use, and some providers refuse to give it. */
const MIN_OUTPUT = 16;
/**
 * Runs of one caller share what is left. A call that does not say how much it needs gets so many tokens, or this part of
 * them when that is more, so that the next call finds some, too.
 */
const OUTPUT_SHARE = 8192;
const SHARE = 0.1;
/** Time is set aside in slices, and the next one is asked for when one is over. */
const SLICE_MS = 5000;
const SLICE = 0.05;

/** `used`: with what is set aside. */
export function fitIn(
  budgets: Budgets,
  used: Record<BudgetScope, Amounts>,
  call: Demand | null,
): { readonly grant: Grant; readonly amounts: Amounts } | { readonly exceeded: Exceeded } {
  let output = call?.maxOutputTokens;
  let ms: number | undefined;
  const least = call ? leastOf(call) : { ...NOTHING, ms: 1 };
  for (const scope of BUDGET_SCOPES) {
    for (const [kind, limit] of Object.entries(budgets[scope] ?? {}) as [keyof Amounts, number][]) {
      const left = kind === 'cost' ? roundCost(limit - used[scope].cost) : limit - used[scope][kind];
      const needed = least[kind];
      if (left < needed) return { exceeded: { scope, kind, limit, used: used[scope][kind], needed } };
      if (kind === 'ms')
        ms = Math.min(ms ?? left, scope === 'principal' ? share(left, limit, SLICE_MS, SLICE) : left);
      const allowed = call && outputFor(kind, left, call);
      if (allowed === null || allowed === undefined) continue;
      const isShared = scope === 'principal' && call?.maxOutputTokens === undefined;
      output = Math.min(output ?? allowed, isShared ? share(allowed, allowed, OUTPUT_SHARE, SHARE) : allowed);
    }
  }
  return {
    grant: {
      ...(output === undefined ? {} : { maxOutputTokens: output }),
      ...(ms === undefined ? {} : { ms }),
    },
    amounts: { ...amountsOf(call, output ?? 0), ms: ms ?? 0 },
  };
}

/** What is left when it is little, else a part of it. */
function share(left: number, of: number, least: number, part: number): number {
  return Math.min(left, Math.max(least, Math.floor(of * part)));
}

/** How many tokens of an answer there is room for; null where this kind does not limit them. */
function outputFor(kind: keyof Amounts, left: number, { inputTokens, price }: Demand): number | null {
  if (kind === 'tokens') return Math.floor(left - inputTokens);
  if (kind !== 'cost' || !price || price.output === 0) return null;
  return Math.floor(roundCost((left - inputTokens * price.input) / price.output));
}

function leastOf(call: Demand): Amounts {
  return { ...amountsOf(call, Math.min(call.maxOutputTokens ?? MIN_OUTPUT, MIN_OUTPUT)), ms: 1 };
}

function amountsOf(call: Demand | null, output: number): Amounts {
  if (!call) return NOTHING;
  return {
    tokens: call.inputTokens + output,
    cost: costOf(call.price, call.inputTokens, output),
    steps: 1,
    ms: 0,
  };
}

export function costOf(price: TokenPrice | null, input: number, output: number): number {
  return price ? roundCost(input * price.input + output * price.output) : 0;
}
