import { z } from 'zod';

/** What one budget allows; what is absent has no limit. */
export const limitsSchema = z.strictObject({
  tokens: z.int().min(1).optional().describe('Input and output of models together'),
  cost: z.number().positive().optional().describe('By the price table'),
  steps: z.int().min(1).optional().describe('Calls of models'),
  seconds: z.number().positive().optional().describe('Execution; waiting for people does not count'),
});

/** The setting `budgets`. */
export const budgetsSchema = z.strictObject({
  run: limitsSchema.optional(),
  session: limitsSchema.optional(),
  principal: limitsSchema.optional(),
});
