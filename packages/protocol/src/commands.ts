import { z } from 'zod';
import { cursorSchema, jsonObjectSchema, runIdSchema } from './common.ts';
import { filePartSchema } from './messages.ts';
import { requestIdSchema } from './requests.ts';
import { ON_CONFLICT, RUN_STATUSES } from './runs.ts';

/** The command that every engine has. */
export const promptParametersSchema = z
  .object({
    prompt: z.string().min(1),
    attachments: z
      .array(filePartSchema.omit({ type: true }))
      .max(16)
      .optional(),
  })
  .meta({ id: 'PromptParameters', examples: [{ prompt: 'Hello' }] });
export type PromptParameters = z.infer<typeof promptParametersSchema>;

export const commandBodySchema = z
  .object({
    command: z
      .string()
      .min(1)
      .max(100)
      .meta({ examples: ['prompt'] }),
    parameters: jsonObjectSchema.default({}),
    run_id: runIdSchema.optional(),
    on_conflict: z.enum(ON_CONFLICT).default('queue'),
  })
  .meta({ id: 'Command', examples: [{ command: 'prompt', parameters: { prompt: 'Hello' } }] });
export type CommandBody = z.infer<typeof commandBodySchema>;

export const commandAcceptedSchema = z
  .object({
    run_id: runIdSchema,
    cursor: cursorSchema.meta({ description: 'The place in the log just before the first event of the run' }),
    position: z
      .int()
      .nonnegative()
      .meta({ description: 'How many unfinished runs of the session are ahead' }),
  })
  .meta({ id: 'CommandAccepted' });
export type CommandAccepted = z.infer<typeof commandAcceptedSchema>;

/** What REST answers when it does not wait for the end of the run. */
export const commandPendingSchema = commandAcceptedSchema
  .extend({
    status: z.enum(RUN_STATUSES),
    request_id: requestIdSchema
      .optional()
      .meta({ description: 'With `awaiting_input`: the oldest request that waits for an answer' }),
  })
  .meta({ id: 'CommandPending' });
