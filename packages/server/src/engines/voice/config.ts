import { z } from 'zod';
import { modelConfigSchema } from '../model-config.ts';

/** Characters of a transcript that the model is shown: some 50,000 tokens. */
const MAX_TRANSCRIPT = 200_000;

export const voiceConfigSchema = modelConfigSchema.extend({
  transcription_model: modelConfigSchema.shape.model.describe(
    "`provider:model` that turns speech into text; of several, separated by commas, each stands in for those before it. Default: the server's",
  ),
  max_steps: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe(
      'Model calls that merging speakers may take; default: twice as many as there are merges, and four',
    ),
  max_transcript_length: z
    .int()
    .min(10_000)
    .max(10_000_000)
    .default(MAX_TRANSCRIPT)
    .describe('Characters of a transcript that the model is shown; of a longer one it gets excerpts'),
});
export type VoiceConfig = z.output<typeof voiceConfigSchema>;
