import { z } from 'zod';
import { modelConfigSchema } from '../model-config.ts';

const DEFAULT_MAX_STEPS = 8;
const DEFAULT_CONTEXT_TOKENS = 100_000;

export const CONTEXT_STRATEGIES = ['drop', 'summarize'] as const;

const toolNames = z.array(z.string().min(1).max(64)).max(128);

export const toolChatConfigSchema = modelConfigSchema.extend({
  tools: toolNames.optional().describe('Names of the tools; default: all'),
  max_steps: z.int().min(1).max(64).default(DEFAULT_MAX_STEPS).describe('Model calls a run may make'),
  approval: toolNames
    .optional()
    .describe('Tools that somebody has to approve, besides those that want it themselves; "*": all'),
  tool_timeout: z
    .number()
    .positive()
    .max(3600)
    .optional()
    .describe('Seconds that a tool may take; default: what the tool says, else 30'),
  parallel_tool_calls: z
    .boolean()
    .optional()
    .describe('False: the calls of one answer are executed one after the other'),
  max_context_tokens: z
    .int()
    .min(500)
    .max(10_000_000)
    .optional()
    .describe(`About how many tokens the model is sent at most; default ${DEFAULT_CONTEXT_TOKENS}`),
  context_strategy: z
    .enum(CONTEXT_STRATEGIES)
    .optional()
    .describe('What becomes of the oldest turns when there are too many; default "drop"'),
});
export type ToolChatConfig = z.output<typeof toolChatConfigSchema>;

export function contextTokens({
  max_context_tokens: tokens = DEFAULT_CONTEXT_TOKENS,
}: ToolChatConfig): number {
  return tokens;
}
