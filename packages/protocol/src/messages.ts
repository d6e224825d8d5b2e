import { z } from 'zod';
import { jsonObjectSchema, jsonSchema, timestampSchema } from './common.ts';

export { appendText, messageText } from './message-text.ts';

/**
 * What the provider wants back with this part, by provider, for example the signature of its reasoning. Opaque: whoever
 * shows a message ignores it.
 */
const providerMetadata = jsonObjectSchema
  .optional()
  .meta({ description: 'What the provider wants back with this part; opaque' });

export const textPartSchema = z.object({
  type: z.literal('text'),
  text: z.string(),
  provider_metadata: providerMetadata,
});
export const reasoningPartSchema = z.object({
  type: z.literal('reasoning'),
  text: z.string(),
  provider_metadata: providerMetadata,
});
export const toolCallPartSchema = z.object({
  type: z.literal('tool_call'),
  tool_call_id: z.string(),
  tool_name: z.string(),
  arguments: jsonSchema,
  provider_metadata: providerMetadata,
});
export const toolResultPartSchema = z.object({
  type: z.literal('tool_result'),
  tool_call_id: z.string(),
  tool_name: z.string(),
  result: jsonSchema,
  is_error: z.boolean(),
});
export const filePartSchema = z.object({
  type: z.literal('file'),
  mime_type: z.string(),
  name: z.string().optional(),
  /** Base64, for small attachments that travel in the message. */
  data: z.string().optional(),
  url: z.string().optional(),
});

export const messagePartSchema = z
  .discriminatedUnion('type', [
    textPartSchema,
    reasoningPartSchema,
    toolCallPartSchema,
    toolResultPartSchema,
    filePartSchema,
  ])
  .meta({ id: 'MessagePart' });
export type MessagePart = z.infer<typeof messagePartSchema>;

export const MESSAGE_ROLES = ['system', 'user', 'assistant', 'tool'] as const;
export type MessageRole = (typeof MESSAGE_ROLES)[number];

export const messageSchema = z
  .object({
    message_id: z.string(),
    role: z.enum(MESSAGE_ROLES),
    run_id: z.string().nullable(),
    parts: z.array(messagePartSchema),
    created_at: timestampSchema,
    metadata: jsonObjectSchema,
  })
  .meta({ id: 'Message', description: 'One message of a conversation' });
export type Message = z.infer<typeof messageSchema>;
