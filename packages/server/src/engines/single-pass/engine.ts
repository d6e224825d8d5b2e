import { modelConfigSchema, requestOf } from '../model-config.ts';
import { finishedMessages, promptResult, streamModelStep } from '../model-step.ts';
import { promptParts } from '../prompt.ts';
import type { EngineDefinition } from '../types.ts';

/** One call of the model for each prompt, without history. */
export const singlePassEngine: EngineDefinition<typeof modelConfigSchema> = {
  type: 'SinglePassEngine',
  description: 'Answers each prompt with one call of the model, without history',
  config: modelConfigSchema,
  resumable: true,
  create(config, services) {
    const model = services.model(config.model);
    return {
      async run(context) {
        if (context.attempt > 1) {
          const [answer] = finishedMessages(await context.history(), context.runId);
          if (answer) return promptResult({ message: answer });
        }
        const prompt = { role: 'user' as const, parts: promptParts(context.parameters) ?? [] };
        return promptResult(
          await streamModelStep(context, model, { ...requestOf(config), messages: [prompt] }),
        );
      },
    };
  },
};
