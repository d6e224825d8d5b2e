import { ApiError } from '@llmgine/protocol';
import { modelConfigSchema, requestOf } from '../model-config.ts';
import { promptResult, streamModelStep } from '../model-step.ts';
import type { EngineDefinition } from '../types.ts';

/** One call of the model for each prompt, without history. */
export const singlePassEngine: EngineDefinition<typeof modelConfigSchema> = {
  type: 'SinglePassEngine',
  description: 'Answers each prompt with one call of the model, without history',
  config: modelConfigSchema,
  create(config, services) {
    const model = services.model(config.model);
    return {
      async run(context) {
        const prompt = (await context.history()).findLast(
          (message) => message.role === 'user' && message.run_id === context.runId,
        );
        if (!prompt) throw new ApiError('INTERNAL_ERROR', 'The prompt of the run is not in the log');
        return promptResult(
          await streamModelStep(context, model, { ...requestOf(config), messages: [prompt] }),
        );
      },
    };
  },
};
