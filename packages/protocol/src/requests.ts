/** Requests to people and their clients: approvals, forms, and tools that run in a client. */
import { z } from 'zod';
import { ANSWER_OUTCOMES, REQUEST_KINDS, REQUEST_OUTCOMES } from './answers.ts';
import { jsonObjectSchema, jsonSchema, runIdSchema, timestampSchema } from './common.ts';

export {
  ANSWER_OUTCOMES,
  ANSWERS,
  type AnswerOutcome,
  REQUEST_KINDS,
  REQUEST_OUTCOMES,
  type RequestKind,
  type RequestOutcome,
} from './answers.ts';

export const requestIdSchema = z.string().min(1).max(100).meta({ description: 'Id of a request to people' });

const what = {
  request_id: requestIdSchema,
  kind: z.enum(REQUEST_KINDS),
  prompt: z.string().meta({ description: 'What is asked, in words for people' }),
  schema: jsonObjectSchema
    .nullable()
    .meta({ description: 'JSON Schema that the `value` of the answer has to fit; null: anything' }),
  arguments: jsonSchema
    .optional()
    .meta({ description: 'Of the tool call that waits; an approval is good for exactly these' }),
  tool_name: z.string().optional(),
  tool_call_id: z.string().optional(),
  expires_at: timestampSchema.meta({ description: 'Then it resolves by itself, as `expired`' }),
};

/** What the log says when something is asked. */
export const inputRequestedSchema = z.object(what);
export const inputResolvedSchema = z.object({
  request_id: requestIdSchema,
  by: z.string().meta({ description: 'Who answered; `system` when nobody did' }),
  outcome: z.enum(REQUEST_OUTCOMES),
});

export const REQUEST_STATUSES = ['pending', 'resolved'] as const;

export const requestSchema = z
  .object({
    ...what,
    run_id: runIdSchema,
    status: z.enum(REQUEST_STATUSES),
    created_at: timestampSchema,
    claimed_until: timestampSchema
      .nullable()
      .meta({ description: 'A client executes the tool until then; null: nobody does' }),
    outcome: z.enum(REQUEST_OUTCOMES).nullable(),
    by: z.string().nullable(),
    resolved_at: timestampSchema.nullable(),
  })
  .meta({ id: 'InputRequest', description: 'Something that a run waits for somebody to answer' });
export type InputRequest = z.infer<typeof requestSchema>;

export const answerSchema = z
  .object({
    outcome: z.enum(ANSWER_OUTCOMES).meta({
      description:
        'approval: `approved`, `denied`; form: `submitted`, `denied`; client_tool: `submitted`, `error`',
    }),
    value: jsonSchema.optional().meta({ description: 'With `submitted`: what the schema asks for' }),
    reason: z.string().max(10_000).optional().meta({ description: 'Why, for the model and the record' }),
  })
  .meta({ id: 'Answer', examples: [{ outcome: 'approved' }] });
export type Answer = z.infer<typeof answerSchema>;

export const answerAcceptedSchema = z
  .object({ request_id: requestIdSchema, outcome: z.enum(ANSWER_OUTCOMES) })
  .meta({ id: 'AnswerAccepted' });

export const requestClaimedSchema = z
  .object({
    request_id: requestIdSchema,
    expires_at: timestampSchema.meta({ description: 'Until then nobody else may claim it' }),
  })
  .meta({ id: 'RequestClaimed' });
