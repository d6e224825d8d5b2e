import { z } from 'zod';
import type { ModelRequest } from '../../models/types.ts';
import { modelConfigSchema, requestOf } from '../model-config.ts';
import { finishedMessages, promptResult, streamModelStep } from '../model-step.ts';
import type { EngineDefinition } from '../types.ts';
import { callTools, toolCallsOf } from './tool-calls.ts';

const DEFAULT_MAX_STEPS = 8;

const configSchema = modelConfigSchema.extend({
  tools: z.array(z.string().max(64)).max(128).optional().describe('Names of the tools; default: all'),
  max_steps: z.int().min(1).max(64).default(DEFAULT_MAX_STEPS).describe('Model calls a run may make'),
});

/**
 * A conversation with history, in which the model may call tools until it has its answer. What a run has done is what the
 * conversation and the log say, so it goes on from its last finished step, in whatever process.
 */
export const toolChatEngine: EngineDefinition<typeof configSchema> = {
  type: 'ToolChatEngine',
  description: 'Keeps a conversation and lets the model call tools',
  config: configSchema,
  resumable: true,
  create(config, services) {
    const model = services.model(config.model);
    const specs = services.tools.specs(config.tools);
    return {
      async run(context) {
        const history = await context.history();
        const messages: ModelRequest['messages'][number][] = [...history];
        const finished = context.attempt === 1 ? [] : finishedMessages(history, context.runId);
        let step = finished.filter(({ role }) => role === 'assistant').length;
        let answer = finished.findLast(({ role }) => role === 'assistant');
        let answered = finished.at(-1)?.role === 'tool';
        for (;;) {
          if (answer && !answered) {
            const calls = toolCallsOf(answer);
            // It may name tools although it had none.
            const had = specs.length > 0 && step < config.max_steps;
            if (calls.length === 0 || !had) return promptResult({ message: answer });
            messages.push(await callTools(context, services.tools, answer, calls));
            await context.drain();
          }
          step++;
          // The last step has no tools, so that the model has to answer with what it knows.
          const tools = step < config.max_steps ? specs : [];
          const request = { ...requestOf(config), messages, ...(tools.length === 0 ? {} : { tools }) };
          ({ message: answer } = await streamModelStep(context, model, request, { step }));
          answered = false;
          messages.push(answer);
        }
      },
    };
  },
};
