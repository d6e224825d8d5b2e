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

/**
 * `queued`: waits for its turn, or to be continued. `awaiting_input`: parked until somebody answers its requests; it keeps
 * its place in the session.
 */
export const RUN_STATUSES = [
  'queued',
  'running',
  'awaiting_input',
  'completed',
  'failed',
  'cancelled',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** How a run can end. A run ends once, and nothing follows its end. */
export const RUN_OUTCOMES = ['completed', 'failed', 'cancelled'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

export function isFinished(status: RunStatus): status is RunOutcome {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

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
