import { defineTool } from '@llmgine/api';
import { z } from 'zod';

const ORDERS = new Map([
  ['o-1', { article: 'lamp', euros: 50 }],
  ['o-2', { article: 'pencil', euros: 2 }],
]);

export const orderTool = defineTool({
  name: 'find_order',
  description: 'Tells what was ordered and what it has cost',
  parameters: z.object({ order: z.string().describe('For example o-1') }),
  idempotent: true,
  execute({ order }, { progress }) {
    progress(`Looking for ${order}`);
    const found = ORDERS.get(order);
    // The model reads the error, and can ask for another one.
    if (!found) throw new Error(`there is no order "${order}"`);
    return found;
  },
});

export const refundTool = defineTool({
  name: 'refund',
  description: 'Pays money back to the customer',
  parameters: z.object({ order: z.string(), euros: z.number().positive() }),
  // Small sums are nobody's worry. `true` would ask each time, `false` never.
  approval: ({ euros }) => euros > 20,
  execute: ({ order, euros }) => ({ refunded: euros, order }),
});

export const photoTool = defineTool({
  name: 'take_photo',
  description: 'Takes a photo of the damage with the camera of the customer',
  parameters: z.object({ of: z.string() }),
  // The client has the camera, so the client executes it. Its answer has to fit `result`.
  client: true,
  result: z.object({ url: z.url() }),
  timeoutMs: 10 * 60_000,
});

export const addressTool = defineTool({
  name: 'ask_address',
  description: 'Asks the customer where a parcel goes',
  parameters: z.object({ article: z.string() }),
  // A person fills it in. What was filled in is the result of the call.
  form: ({ article }) => ({
    prompt: `Where shall we send the ${article}?`,
    schema: z.object({ street: z.string().min(1), city: z.string().min(1) }),
  }),
});
