import { defineEngine, modelConfigSchema, promptResult, requestOf, streamModelStep } from '@llmgine/api';
import { z } from 'zod';

export const reviewEngine = defineEngine({
  type: 'ReviewEngine',
  description: 'Drafts an answer, then improves it',
  config: modelConfigSchema.extend({ tone: z.enum(['kind', 'strict']).default('kind') }),
  commands: {
    rate: {
      description: 'Rates a text',
      parameters: z.object({ text: z.string().min(1) }),
    },
  },
  create(config, services) {
    const model = services.model(config.model);
    return {
      async run(context) {
        if (context.command === 'rate') {
          const stars = Math.min(5, context.parameters.text.split(/\s+/).length);
          context.emit({ event_type: 'custom:rated', payload: { stars } });
          return { stars };
        }
        const messages = await context.history();
        const draft = await streamModelStep(context, model, { ...requestOf(config), messages });
        context.emit({ event_type: 'status', payload: { text: 'Reading it again' } });
        const review = await streamModelStep(
          context,
          model,
          { system: `Improve the draft. Be ${config.tone}.`, messages: [...messages, draft.message] },
          { step: 2 },
        );
        return promptResult(review);
      },
    };
  },
});
