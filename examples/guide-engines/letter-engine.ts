import {
  defineEngine,
  finishedMessages,
  type ModelRequest,
  modelConfigSchema,
  promptResult,
  requestOf,
  streamModelStep,
} from '@llmgine/api';
import { z } from 'zod';

export const letterEngine = defineEngine({
  type: 'LetterEngine',
  description: 'Writes letters to customers',
  config: modelConfigSchema.extend({ signature: z.string().max(100).default('Your shop') }),
  commands: {
    letter: {
      description: 'Writes a letter about an order',
      parameters: z.object({ order: z.string(), about: z.string() }),
    },
  },
  resumable: true,
  create(config, services) {
    const model = services.model(config.model);
    const system = `You write short, kind letters. Sign them: ${config.signature}`;
    return {
      async run(context) {
        const history = await context.history();
        // A run that is continued finds what it has finished.
        const [written] = finishedMessages(history, context.runId);
        if (written) return promptResult({ message: written });
        const answer = async (messages: ModelRequest['messages']) =>
          promptResult(await streamModelStep(context, model, { system, ...requestOf(config), messages }));
        if (context.command === 'prompt') return answer(history);
        const { order, about } = context.parameters;
        context.emit({ event_type: 'status', payload: { text: `Writing about order ${order}` } });
        const text = `Write a letter about order ${order}: ${about}`;
        return answer([...history, { role: 'user', parts: [{ type: 'text', text }] }]);
      },
    };
  },
});
