/** The frames that the server sends: type → schema of `data`. */
import { z } from 'zod';
import { commandAcceptedSchema } from '../commands.ts';
import { cursorSchema, runIdSchema, sessionIdSchema, timestampSchema } from '../common.ts';
import { ENGINE_STATUSES, linkedEngineSchema } from '../engines.ts';
import { eventSchema } from '../events.ts';
import { audioAcceptedSchema } from '../files.ts';
import { limitsSchema } from '../limits.ts';
import { messageSchema } from '../messages.ts';
import { answerAcceptedSchema, requestClaimedSchema, requestSchema } from '../requests.ts';
import { commandResultSchema, runSchema } from '../runs.ts';
import { SESSION_STATUSES } from '../sessions.ts';
import type { MessageId } from './client.ts';

export { SERVER_INITIATED } from './server-initiated.ts';

/** A page of the conversation together with the state that belongs to it: one consistent snapshot. */
export const historySchema = z
  .object({
    messages: z.array(messageSchema).meta({ description: 'oldest first' }),
    next: z.string().nullable().meta({ description: 'give it as `before` for the page of older messages' }),
    cursor: cursorSchema.meta({ description: 'subscribe after it to go on without a gap' }),
    runs: z.array(runSchema).meta({ description: 'unfinished runs, in their order' }),
    partial_message: messageSchema
      .nullable()
      .meta({ description: 'what was streamed so far of an unfinished message' }),
    pending_requests: z
      .array(requestSchema)
      .meta({ description: 'what runs of the session wait for, oldest first' }),
  })
  .meta({ id: 'History' });
export type History = z.infer<typeof historySchema>;

export const errorFrameDataSchema = z.object({
  code: z.string(),
  message: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  retry_after: z
    .number()
    .nonnegative()
    .optional()
    .meta({ description: 'seconds to wait before trying again' }),
  details: z.string().optional().meta({ description: 'in debug mode only' }),
});

export const SERVER_FRAMES = {
  pong: z.object({ timestamp: z.string().optional(), server_timestamp: timestampSchema }),
  engine_types: z.object({ engine_types: z.array(z.string()) }),
  engine_linked: linkedEngineSchema,
  status_response: z.object({
    session_status: z.enum(SESSION_STATUSES),
    engine_status: z.enum(ENGINE_STATUSES).nullable(),
    engine_id: z.string().nullable(),
  }),
  error: errorFrameDataSchema,
  welcome: z.object({
    protocol_version: z.string(),
    server_version: z.string(),
    session_id: sessionIdSchema,
    capabilities: z.array(z.string()),
    limits: limitsSchema,
    message_types: z.array(z.string()),
  }),
  authenticated: z.object({
    subject: z.string(),
    role: z.string(),
    expires_at: timestampSchema.nullable().meta({ description: 'null: the credential does not expire' }),
  }),
  engine_unlinked: z.object({ engine_id: z.string() }),
  command_accepted: commandAcceptedSchema,
  command_result: commandResultSchema,
  cancelled: z.object({ run_id: runIdSchema }),
  subscribed: z.object({ cursor: cursorSchema, resync_required: z.boolean() }),
  unsubscribed: z.object({}),
  event_published: z.object({ cursor: cursorSchema }),
  history_response: historySchema,
  request_claimed: requestClaimedSchema,
  server_response_accepted: answerAcceptedSchema,
  audio_accepted: audioAcceptedSchema,
  event: eventSchema,
  notification: z
    .object({ notification_type: z.string(), message: z.string() })
    .catchall(z.unknown())
    .meta({ description: 'from a custom back end' }),
  going_away: z.object({
    reason: z.string(),
    cursor: cursorSchema.nullable(),
    reconnect_after_ms: z.int().nonnegative(),
  }),
} as const;

export type ServerFrameType = keyof typeof SERVER_FRAMES;
export type ServerFrameData<T extends ServerFrameType> = z.infer<(typeof SERVER_FRAMES)[T]>;
export type ServerFrame = {
  [T in ServerFrameType]: {
    type: T;
    message_id?: MessageId;
    server_initiated?: true;
    data: ServerFrameData<T>;
  };
}[ServerFrameType];

/**
 * Which frame answers which; `command` is answered twice, by `command_accepted` and later by `command_result`, and so is
 * the command of an `audio_end`. An `audio_begin` is answered by the `audio_end` of its recording, unless it fails.
 */
export const REPLIES = {
  ping: ['pong'],
  get_engine_types: ['engine_types'],
  link_engine: ['engine_linked'],
  status: ['status_response'],
  hello: ['welcome'],
  authenticate: ['authenticated'],
  unlink_engine: ['engine_unlinked'],
  command: ['command_accepted', 'command_result'],
  cancel: ['cancelled'],
  subscribe: ['subscribed'],
  unsubscribe: ['unsubscribed'],
  event: ['event_published'],
  history: ['history_response'],
  claim_request: ['request_claimed'],
  server_response: ['server_response_accepted'],
  audio_begin: [],
  audio_end: ['audio_accepted', 'command_accepted', 'command_result'],
} as const;
