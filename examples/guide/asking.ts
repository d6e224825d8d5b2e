import { defineEngine, defineTool, say } from '@llmgine/api';
import { z } from 'zod';

export const orderTool = defineTool({
  name: 'order',
  description: 'Orders an article',
  parameters: z.object({ article: z.string(), pieces: z.int().min(1) }),
  // Somebody has to approve large orders, with exactly these arguments.
  approval: ({ pieces }) => pieces > 10,
  execute: ({ article, pieces }) => ({ ordered: `${pieces} ${article}` }),
});

export const scanTool = defineTool({
  name: 'scan_barcode',
  description: 'Scans the barcode in front of the camera',
  parameters: z.object({}),
  // A client of the session executes it, and answers with what fits `result`.
  client: true,
  result: z.object({ article: z.string() }),
});

export const deliveryEngine = defineEngine({
  type: 'DeliveryEngine',
  description: 'Asks where to deliver',
  config: z.object({}),
  resumable: true,
  create: () => ({
    async run(context) {
      const { outcome, value } = await context.ask({
        key: 'address',
        kind: 'form',
        prompt: 'Where shall we deliver?',
        schema: z.object({ city: z.string().min(1) }),
      });
      const { city } = outcome === 'submitted' ? (value as { city: string }) : { city: 'nowhere' };
      await say(context, `It goes to ${city}.`);
      return { city };
    },
  }),
});
