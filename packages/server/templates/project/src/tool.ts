/** A tool that models may call. What it throws, the model reads. */
import { defineTool } from '@llmgine/api';
import { z } from 'zod';

const ORDERS = new Map([
  ['o-1', { article: 'lamp', status: 'on its way' }],
  ['o-2', { article: 'pencil', status: 'delivered' }],
]);

export const orderTool = defineTool({
  name: 'find_order',
  description: 'Tells what was ordered, and where it is',
  parameters: z.object({ order: z.string().describe('For example o-1') }),
  // It may be executed again after a crash.
  idempotent: true,
  execute({ order }) {
    const found = ORDERS.get(order);
    if (!found) throw new Error(`there is no order "${order}"`);
    return found;
  },
});

/** Somebody has to approve each call of this one. */
export const cancelTool = defineTool({
  name: 'cancel_order',
  description: 'Cancels an order',
  parameters: z.object({ order: z.string() }),
  approval: true,
  execute: ({ order }) => ({ cancelled: order }),
});
