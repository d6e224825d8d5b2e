import { z } from 'zod';
import {
  engineTypeSchema,
  jsonObjectSchema,
  sessionIdSchema,
  timestampSchema,
  usageSchema,
} from './common.ts';

export const SESSION_STATUSES = ['running', 'idle', 'failed'] as const;
export type SessionStatus = (typeof SESSION_STATUSES)[number];

const MAX_METADATA_KEYS = 64;
const MAX_METADATA_BYTES = 16 * 1024;

export const sessionMetadataSchema = jsonObjectSchema
  .refine((value) => Object.keys(value).length <= MAX_METADATA_KEYS, `at most ${MAX_METADATA_KEYS} keys`)
  .refine(
    (value) => JSON.stringify(value).length <= MAX_METADATA_BYTES,
    `at most ${MAX_METADATA_BYTES} characters of JSON`,
  )
  .meta({ description: 'What the application keeps with the session' });

export const sessionUsageSchema = usageSchema
  .extend({
    steps: z.int().nonnegative().meta({ description: 'calls of models that count' }),
    seconds: z.number().nonnegative().meta({ description: 'execution, without waiting for people' }),
  })
  .meta({ id: 'SessionUsage', description: 'What the runs of a session have used together' });
export type SessionUsage = z.infer<typeof sessionUsageSchema>;

export const sessionSummarySchema = z
  .object({
    session_id: sessionIdSchema,
    status: z.enum(SESSION_STATUSES),
    created_at: timestampSchema,
    last_interaction_at: timestampSchema,
    usage: sessionUsageSchema.optional().meta({ description: 'absent until a model was called' }),
    name: z.string().optional(),
    metadata: jsonObjectSchema.optional(),
  })
  .meta({ id: 'SessionSummary' });
export type SessionSummary = z.infer<typeof sessionSummarySchema>;

export const forkOriginSchema = z
  .object({
    session_id: sessionIdSchema,
    message_id: z
      .string()
      .nullable()
      .meta({ description: 'The last message that was taken over; null when there was none' }),
  })
  .meta({ id: 'ForkOrigin', description: 'Where a session came from; it may be gone' });
export type ForkOrigin = z.infer<typeof forkOriginSchema>;

export const sessionDetailSchema = sessionSummarySchema
  .extend({
    linked_engine: z.string().nullable().meta({ description: 'engine_id, or null when none is linked' }),
    forked_from: forkOriginSchema.optional(),
  })
  .meta({ id: 'Session' });
export type SessionDetail = z.infer<typeof sessionDetailSchema>;

export const createSessionBodySchema = z
  .object({
    name: z.string().min(1).max(200).optional(),
    metadata: sessionMetadataSchema.optional(),
    engine_type: engineTypeSchema.optional(),
    engine_config: jsonObjectSchema.optional(),
  })
  .meta({ id: 'CreateSession' });
export type CreateSessionBody = z.infer<typeof createSessionBodySchema>;

export const createSessionResponseSchema = z
  .object({ session_id: sessionIdSchema, status: z.literal('success') })
  .meta({ id: 'SessionCreated' });

export const sessionListSchema = z
  .object({
    sessions: z.array(sessionSummarySchema),
    total: z.int().nonnegative(),
    total_exact: z.boolean().optional().meta({ description: 'false when total stopped counting at 10,000' }),
    next: z.string().nullable().meta({ description: 'cursor of the next page, null on the last' }),
  })
  .meta({ id: 'SessionList' });
export type SessionList = z.infer<typeof sessionListSchema>;

export const deleteSessionResponseSchema = z.object({ message: z.string() }).meta({ id: 'SessionDeleted' });
