import { z } from 'zod';
import { commandBodySchema } from './commands.ts';
import { timestampSchema } from './common.ts';

export const fileIdSchema = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: 'File id, given by the server', examples: ['file_3q2-7wvJc1zGmX0a'] });

/** The kinds of recordings that are taken, as their files say it. What a client declares may have other names. */
export const AUDIO_TYPES = [
  'audio/wav',
  'audio/mpeg',
  'audio/webm',
  'audio/ogg',
  'audio/mp4',
  'audio/flac',
] as const;
export type AudioType = (typeof AUDIO_TYPES)[number];

/** What is known of a recording that was taken. */
export const audioAcceptedSchema = z
  .object({
    file_id: fileIdSchema,
    mime_type: z.string().meta({ description: 'As the bytes say', examples: ['audio/webm'] }),
    size: z.int().nonnegative().meta({ description: 'bytes' }),
    duration: z
      .number()
      .nonnegative()
      .nullable()
      .meta({ description: 'seconds; null where nobody can tell' }),
  })
  .meta({ id: 'AudioAccepted' });
export type AudioAccepted = z.infer<typeof audioAcceptedSchema>;

export const fileSchema = audioAcceptedSchema.extend({ created_at: timestampSchema }).meta({ id: 'File' });
export type FileInfo = z.infer<typeof fileSchema>;

export const fileDeletedSchema = z.object({ file_id: fileIdSchema }).meta({ id: 'FileDeleted' });

/** `data` of `audio_begin`. */
export const audioBeginSchema = z.object({
  mime_type: z
    .string()
    .min(1)
    .max(200)
    .meta({ examples: ['audio/webm;codecs=opus'] }),
  sample_rate: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta({ description: 'A hint; the formats that are taken say it themselves' }),
});

/** `data` of `audio_end`: the recording alone, or a command that gets it as `parameters.file_id`. */
export const audioEndSchema = commandBodySchema
  .extend({
    command: commandBodySchema.shape.command
      .optional()
      .meta({ description: 'Run this with the recording as `parameters.file_id`', examples: ['transcribe'] }),
    stream: z
      .boolean()
      .default(true)
      .meta({ description: 'false: only command_result of the command, no events' }),
  })
  .meta({ examples: [{ command: 'transcribe' }] });
