import { defineEngine, say } from '@llmgine/api';
import { z } from 'zod';

export const greetingEngine = defineEngine({
  type: 'GreetingEngine',
  description: 'Greets whoever is there',
  config: z.object({ greeting: z.string().default('Hello') }),
  create: ({ greeting }) => ({
    async run(context) {
      const text = `${greeting}, ${context.parameters.prompt}!`;
      await say(context, text);
      return { text };
    },
  }),
});
