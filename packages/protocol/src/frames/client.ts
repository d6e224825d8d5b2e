/** The frames that a client sends: type → schema of `data`. */
import { z } from 'zod';
import { commandBodySchema } from '../commands.ts';
import { cursorSchema, jsonObjectSchema, runIdSchema } from '../common.ts';
import { linkEngineSchema } from '../engines.ts';
import { customEventTypeSchema } from '../events.ts';
import { audioBeginSchema, audioEndSchema } from '../files.ts';
import { answerSchema, requestIdSchema } from '../requests.ts';

export const MESSAGE_TYPE = /^[A-Za-z][A-Za-z0-9_.:-]{0,99}$/;

/** Correlation on one connection: every reply repeats it. Never a key. */
export const messageIdSchema = z.union([z.string().max(255), z.number()]);
export type MessageId = z.infer<typeof messageIdSchema>;

/** The envelope. `data` is validated by the schema of the type; missing, it is `{}`. */
export const clientEnvelopeSchema = z.object({
  type: z.string().min(1).max(100),
  message_id: messageIdSchema.optional(),
  data: jsonObjectSchema.default({}),
});
export type ClientEnvelope = z.infer<typeof clientEnvelopeSchema>;

const emptySchema = z.object({});

export const CLIENT_FRAMES = {
  ping: z.object({
    timestamp: z
      .string()
      .max(100)
      .optional()
      .meta({ examples: ['2026-01-01T12:00:00.000Z'] }),
  }),
  get_engine_types: emptySchema,
  link_engine: linkEngineSchema,
  status: emptySchema,
  hello: z.object({ protocol_version: z.union([z.string().max(20), z.number()]).optional() }),
  authenticate: z.object({
    token: z.string().min(1).max(8192).meta({ description: 'A key or a JWT of the same principal' }),
  }),
  unlink_engine: emptySchema,
  command: commandBodySchema
    .extend({
      stream: z.boolean().default(true).meta({ description: 'false: only command_result, no events' }),
    })
    .meta({ examples: [{ command: 'prompt', parameters: { prompt: 'Hello' } }] }),
  cancel: z.object({ run_id: runIdSchema.optional() }),
  subscribe: z.object({
    after: cursorSchema
      .optional()
      .meta({ description: 'Replay what came after; without it the subscription starts now' }),
    event_types: z.array(z.string().min(1).max(120)).max(100).optional(),
  }),
  unsubscribe: emptySchema,
  event: z.object({
    event_type: customEventTypeSchema,
    payload: jsonObjectSchema.default({}),
    event_id: z.string().min(1).max(255).optional().meta({ description: 'Makes publishing idempotent' }),
  }),
  history: z.object({
    limit: z.int().min(1).max(1000).default(100),
    before: z.string().min(1).max(255).optional().meta({ description: '`next` of the page before' }),
  }),
  claim_request: z.object({ request_id: requestIdSchema }),
  server_response: z.object({ request_id: requestIdSchema, ...answerSchema.shape }),
  audio_begin: audioBeginSchema,
  audio_end: audioEndSchema,
} as const;

export type ClientFrameType = keyof typeof CLIENT_FRAMES;
/** `data` of a client frame after validation. */
export type ClientFrameData<T extends ClientFrameType> = z.infer<(typeof CLIENT_FRAMES)[T]>;
/** `data` of a client frame as a client may write it. */
export type ClientFrameInput<T extends ClientFrameType> = z.input<(typeof CLIENT_FRAMES)[T]>;
export type ClientFrame = {
  [T in ClientFrameType]: { type: T; message_id?: MessageId; data?: ClientFrameInput<T> };
}[ClientFrameType];
