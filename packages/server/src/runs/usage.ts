import type { Usage } from '@llmgine/protocol';

/** Both together; what only one of them counts is taken as it is. */
export function addUsage(sum: Usage | null, usage: Usage | null): Usage | null {
  if (!sum || !usage) return sum ?? usage;
  const total: Usage = {
    input_tokens: sum.input_tokens + usage.input_tokens,
    output_tokens: sum.output_tokens + usage.output_tokens,
    total_tokens: sum.total_tokens + usage.total_tokens,
  };
  for (const key of ['cached_input_tokens', 'reasoning_tokens'] as const) {
    if (sum[key] !== undefined || usage[key] !== undefined) total[key] = (sum[key] ?? 0) + (usage[key] ?? 0);
  }
  return total;
}
