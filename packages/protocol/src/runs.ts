import { z } from 'zod';
import {
  cursorSchema,
  errorObjectSchema,
  jsonSchema,
  runIdSchema,
  sessionIdSchema,
  timestampSchema,
  usageSchema,
} from './common.ts';
import { RUN_OUTCOMES, RUN_STATUSES } from './run-status.ts';

export { isFinished, RUN_OUTCOMES, RUN_STATUSES, type RunOutcome, type RunStatus } from './run-status.ts';

/** What happens to a command that arrives while a run of the session is unfinished. */
export const ON_CONFLICT = ['queue', 'reject', 'interrupt'] as const;
export type OnConflict = (typeof ON_CONFLICT)[number];

export const commandResultSchema = z
  .object({
    run_id: runIdSchema,
    status: z.enum(RUN_OUTCOMES),
    result: jsonSchema,
    usage: usageSchema.nullable(),
    error: errorObjectSchema.nullable(),
  })
  .meta({ id: 'CommandResult', description: 'How a run ended' });
export type CommandResult = z.infer<typeof commandResultSchema>;

export const runSchema = z
  .object({
    run_id: runIdSchema,
    session_id: sessionIdSchema,
    engine_id: z.string(),
    engine_type: z.string(),
    command: z.string(),
    status: z.enum(RUN_STATUSES),
    result: jsonSchema,
    usage: usageSchema.nullable(),
    error: errorObjectSchema.nullable(),
    cursor: cursorSchema,
    created_at: timestampSchema,
    started_at: timestampSchema.nullable(),
    finished_at: timestampSchema.nullable(),
  })
  .meta({ id: 'Run', description: 'One command of a session and how it went' });
export type Run = z.infer<typeof runSchema>;
