/** Sessions that are copied: forks inside of a server, exports and imports between servers. */
import { z } from 'zod';
import { engineTypeSchema, jsonObjectSchema, sessionIdSchema, timestampSchema } from './common.ts';
import { eventSchema } from './events.ts';
import { messageSchema } from './messages.ts';
import { forkOriginSchema, sessionMetadataSchema, sessionUsageSchema } from './sessions.ts';

/** Of the lines of an export. A reader refuses what is newer than it. */
export const EXPORT_VERSION = 1;
export const EXPORT_MEDIA_TYPE = 'application/jsonl';

const MAX_ID = 200;
/** Providers are given it; the same holds for the attachments of a prompt. */
const NOT_FETCHABLE = 'must begin with "https:" or "data:", and have no credentials in it';
const name = z.string().min(1).max(200);
const count = z.int().nonnegative();

export const forkSessionBodySchema = z
  .object({
    at: z
      .string()
      .min(1)
      .max(MAX_ID)
      .optional()
      .meta({ description: 'Last message of a run that has ended; default: the newest of them' }),
    name: name.optional().meta({ description: 'Default: the name of the session' }),
  })
  .meta({ id: 'ForkSession' });
export type ForkSessionBody = z.infer<typeof forkSessionBodySchema>;

export const sessionForkedSchema = z
  .object({ session_id: sessionIdSchema, status: z.literal('success'), forked_from: forkOriginSchema })
  .meta({ id: 'SessionForked' });
export type SessionForked = z.infer<typeof sessionForkedSchema>;

/** The first line. */
export const exportedSessionSchema = z
  .object({
    type: z.literal('session'),
    version: z.literal(EXPORT_VERSION),
    session_id: sessionIdSchema,
    created_at: timestampSchema,
    name: name.nullable(),
    metadata: sessionMetadataSchema,
    engine: z.object({ engine_type: engineTypeSchema, engine_config: jsonObjectSchema }).nullable(),
    forked_from: forkOriginSchema.nullable(),
    usage: sessionUsageSchema.nullable(),
  })
  .meta({ id: 'ExportedSession' });

/** Then the conversation, in its order. */
export const exportedMessageSchema = messageSchema
  .extend({ type: z.literal('message') })
  .meta({ id: 'ExportedMessage' });

/** Then what is kept of the log. */
export const exportedEventSchema = eventSchema
  .extend({ type: z.literal('event') })
  .meta({ id: 'ExportedEvent' });

/** The last line: without it, the file was cut off. */
export const exportEndSchema = z
  .object({ type: z.literal('end'), messages: count, events: count })
  .meta({ id: 'ExportEnd' });

export const exportLineSchema = z
  .discriminatedUnion('type', [
    exportedSessionSchema,
    exportedMessageSchema,
    exportedEventSchema,
    exportEndSchema,
  ])
  .meta({ id: 'ExportLine', description: 'One line of the export of a session' });
export type ExportLine = z.infer<typeof exportLineSchema>;

/** What an import takes. Who wrote the file may be anybody. */
export const importLineSchema = z.discriminatedUnion('type', [
  exportedSessionSchema.partial({ session_id: true, created_at: true, usage: true, forked_from: true }),
  exportedMessageSchema.extend({
    message_id: z.string().min(1).max(MAX_ID),
    run_id: z.string().min(1).max(MAX_ID).nullable(),
    parts: messageSchema.shape.parts.superRefine((parts, context) => {
      for (const [index, part] of parts.entries()) {
        if (part.type !== 'file' || part.url === undefined || isFetchable(part.url)) continue;
        context.addIssue({ code: 'custom', path: [index, 'url'], message: NOT_FETCHABLE });
      }
    }),
  }),
  exportedEventSchema.pick({ type: true, seq: true, event_type: true }),
  exportEndSchema,
]);
export type ImportLine = z.infer<typeof importLineSchema>;

function isFetchable(url: string): boolean {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'data:') return true;
  return parsed?.protocol === 'https:' && parsed.username === '' && parsed.password === '';
}
