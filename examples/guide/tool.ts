import { defineTool } from '@llmgine/api';
import { z } from 'zod';

const SHELF = new Map([
  ['apples', 12],
  ['pears', 0],
]);

export const stockTool = defineTool({
  name: 'stock',
  description: 'Tells how many of an article are in stock',
  parameters: z.object({ article: z.string() }),
  timeoutMs: 5_000,
  idempotent: true,
  execute({ article }, { progress }) {
    progress(`Counting ${article}`);
    const pieces = SHELF.get(article);
    // The model reads the error, and can try again.
    if (pieces === undefined) throw new Error(`there is no article "${article}"`);
    return { article, pieces };
  },
});
