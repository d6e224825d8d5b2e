import { z } from 'zod';
import type { ModelRequest } from '../../models/types.ts';
import { modelConfigSchema, requestOf } from '../model-config.ts';
import { promptResult, streamModelStep } from '../model-step.ts';
import type { EngineDefinition } from '../types.ts';
import { callTools } from './tool-calls.ts';

const DEFAULT_MAX_STEPS = 8;

const configSchema = modelConfigSchema.extend({
  tools: z.array(z.string().max(64)).max(128).optional().describe('Names of the tools; default: all'),
  max_steps: z.int().min(1).max(64).default(DEFAULT_MAX_STEPS).describe('Model calls a run may make'),
});

/** A conversation with history, in which the model may call tools until it has its answer. */
export const toolChatEngine: EngineDefinition<typeof configSchema> = {
  type: 'ToolChatEngine',
  description: 'Keeps a conversation and lets the model call tools',
  config: configSchema,
  create(config, services) {
    const model = services.model(config.model);
    const specs = services.tools.specs(config.tools);
    return {
      async run(context) {
        const messages: ModelRequest['messages'][number][] = [...(await context.history())];
        for (let step = 1; ; step++) {
          // The last step has no tools, so that the model has to answer with what it knows.
          const tools = step < config.max_steps ? specs : [];
          const answer = await streamModelStep(
            context,
            model,
            { ...requestOf(config), messages, ...(tools.length === 0 ? {} : { tools }) },
            { step },
          );
          if (answer.toolCalls.length === 0 || tools.length === 0) return promptResult(answer);
          messages.push(answer.message, await callTools(context, services.tools, answer.toolCalls));
          await context.drain();
        }
      },
    };
  },
};
