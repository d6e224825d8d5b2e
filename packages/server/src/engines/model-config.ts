import { z } from 'zod';
import { limitsSchema } from '../config/budgets.ts';
import { MODEL_NAMES } from '../config/model-names.ts';
import { type ModelRequest, REASONING_EFFORTS } from '../models/types.ts';

/** What every engine that talks to a model takes in `engine_config`. */
export const modelConfigSchema = z.object({
  model: z
    .string()
    .max(1000)
    .regex(MODEL_NAMES, '`provider:model`, or several separated by commas')
    .optional()
    .describe(
      "`provider:model`; of several, separated by commas, each stands in for those before it. Default: the server's",
    ),
  system_prompt: z.string().max(100_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  max_output_tokens: z.int().min(1).max(1_000_000).optional(),
  stop_sequences: z.array(z.string().min(1).max(200)).max(8).optional(),
  reasoning_effort: z
    .enum(REASONING_EFFORTS)
    .optional()
    .describe('How much a model that can reason should; default: as it likes'),
  budget: limitsSchema
    .optional()
    .describe('What each run may use; it can only tighten what the server allows'),
});
export type ModelConfig = z.output<typeof modelConfigSchema>;

/** The part of a model request that comes from the configuration. */
export function requestOf(config: ModelConfig): Omit<ModelRequest, 'messages'> {
  return {
    ...(config.system_prompt === undefined ? {} : { system: config.system_prompt }),
    ...(config.temperature === undefined ? {} : { temperature: config.temperature }),
    ...(config.top_p === undefined ? {} : { topP: config.top_p }),
    ...(config.max_output_tokens === undefined ? {} : { maxOutputTokens: config.max_output_tokens }),
    ...(config.stop_sequences === undefined ? {} : { stopSequences: config.stop_sequences }),
    ...(config.reasoning_effort === undefined ? {} : { reasoningEffort: config.reasoning_effort }),
  };
}
