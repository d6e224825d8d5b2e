import { z } from 'zod';
import {
  cursorSchema,
  engineTypeSchema,
  errorObjectSchema,
  jsonObjectSchema,
  jsonSchema,
  timestampSchema,
  usageSchema,
} from './common.ts';
import { MESSAGE_ROLES, messageSchema } from './messages.ts';
import { inputRequestedSchema, inputResolvedSchema } from './requests.ts';
import { RUN_OUTCOMES } from './runs.ts';

/**
 * What happens in a session, by event type. A `custom:NAME` event carries whatever its publisher sent, validated where
 * a schema is registered.
 */
export const EVENT_PAYLOADS = {
  run_queued: z.object({ command: z.string() }),
  run_started: z.object({ engine_id: z.string(), engine_type: z.string() }),
  run_finished: z.object({
    status: z.enum(RUN_OUTCOMES),
    result: jsonSchema,
    usage: usageSchema.nullable(),
    error: errorObjectSchema.nullable(),
  }),
  step_started: z.object({ step: z.int().positive(), model: z.string() }),
  step_finished: z.object({
    step: z.int().positive(),
    usage: usageSchema.nullable(),
    finish_reason: z.string(),
  }),
  message_started: z.object({ message_id: z.string(), role: z.enum(MESSAGE_ROLES) }),
  text_delta: z.object({ message_id: z.string(), text: z.string() }),
  reasoning_delta: z.object({ message_id: z.string(), text: z.string() }),
  message_completed: messageSchema.extend({
    /** The deltas that this message stands for once they are compacted. */
    replaces: z.object({ from_seq: z.int().positive(), to_seq: z.int().positive() }).optional(),
  }),
  message_discarded: z.object({ message_id: z.string() }),
  tool_call: z.object({ tool_call_id: z.string(), tool_name: z.string(), arguments: jsonSchema }),
  tool_result: z.object({
    tool_call_id: z.string(),
    result: jsonSchema,
    is_error: z.boolean(),
    duration_ms: z.number().nonnegative(),
  }),
  input_requested: inputRequestedSchema,
  input_resolved: inputResolvedSchema,
  engine_linked: z.object({ engine_id: z.string(), engine_type: engineTypeSchema, status: z.string() }),
  engine_unlinked: z.object({ engine_id: z.string() }),
  status: z.object({ text: z.string() }),
} as const;

export type CoreEventType = keyof typeof EVENT_PAYLOADS;
export const CORE_EVENT_TYPES = Object.keys(EVENT_PAYLOADS) as [CoreEventType, ...CoreEventType[]];
export type CustomEventType = `custom:${string}`;
export type EventType = CoreEventType | CustomEventType;

export type EventPayload<T extends EventType> = T extends CoreEventType
  ? z.infer<(typeof EVENT_PAYLOADS)[T]>
  : Record<string, unknown>;

export const customEventTypeSchema = z
  .string()
  .regex(
    /^custom:[A-Za-z0-9_.:-]{1,100}$/,
    'must be "custom:" and a name of letters, digits, "_", ".", ":" or "-"',
  )
  .meta({ examples: ['custom:note'] }) as unknown as z.ZodType<CustomEventType>;

export const eventTypeSchema = z
  .union([z.enum(CORE_EVENT_TYPES), customEventTypeSchema])
  .meta({ description: 'A core event type or custom:NAME' });

/** An event as clients see it, on every transport. */
export const eventSchema = z
  .object({
    cursor: cursorSchema,
    seq: z.int().positive(),
    event_type: z.string(),
    run_id: z.string().optional(),
    payload: jsonObjectSchema,
    created_at: timestampSchema,
  })
  .meta({ id: 'Event', description: 'One entry of the log of a session' });

type EventOf<T extends EventType> = {
  cursor: string;
  seq: number;
  event_type: T;
  run_id?: string;
  payload: EventPayload<T>;
  created_at: string;
};
/** An event as clients see it, discriminated by `event_type`. */
export type SessionEvent = { [T in CoreEventType]: EventOf<T> }[CoreEventType] | EventOf<CustomEventType>;
