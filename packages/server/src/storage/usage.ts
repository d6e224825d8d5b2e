/** Sums of what models used. */
import type { Usage } from '@llmgine/protocol';

const OPTIONAL = ['cached_input_tokens', 'reasoning_tokens', 'cost'] as const;
/** Costs are sums of very small numbers, which must not drift. */
const COST_DIGITS = 1e10;

export function roundCost(cost: number): number {
  return Math.round(cost * COST_DIGITS) / COST_DIGITS;
}

/** Both together; what only one of them counts is taken as it is. */
export function addUsage(sum: Usage | null, usage: Usage | null): Usage | null {
  if (!sum || !usage) return sum ?? usage;
  return combine(sum, usage, 1);
}

/** What came after `before`, so that both together are `now` again. */
export function usageSince(now: Usage | null, before: Usage | null): Usage | null {
  if (!before) return now;
  return combine(now ?? { input_tokens: 0, output_tokens: 0, total_tokens: 0 }, before, -1);
}

function combine(one: Usage, other: Usage, sign: 1 | -1): Usage {
  const total: Usage = {
    input_tokens: one.input_tokens + sign * other.input_tokens,
    output_tokens: one.output_tokens + sign * other.output_tokens,
    total_tokens: one.total_tokens + sign * other.total_tokens,
  };
  for (const key of OPTIONAL) {
    if (one[key] === undefined && other[key] === undefined) continue;
    total[key] = (one[key] ?? 0) + sign * (other[key] ?? 0);
  }
  if (total.cost !== undefined) total.cost = roundCost(total.cost);
  return total;
}

/** The day in UTC, for example `2026-01-31`. */
export function utcDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
