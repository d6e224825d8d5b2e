/** An engine answers commands. It is made anew for each run: what it has to know is in the conversation. */
import { defineEngine, modelConfigSchema, promptResult, streamModelStep } from '@llmgine/api';
import { z } from 'zod';

export const supportEngine = defineEngine({
  type: 'SupportEngine',
  description: 'Answers questions in the words of the shop',
  // What clients may choose when they link it.
  config: modelConfigSchema.extend({ tone: z.enum(['friendly', 'brief']).default('friendly') }),
  create(config, services) {
    const model = services.model(config.model);
    return {
      async run(context) {
        const step = await streamModelStep(context, model, {
          system: `You answer for the shop. Be ${config.tone}.`,
          messages: await context.history(),
        });
        return promptResult(step);
      },
    };
  },
});
