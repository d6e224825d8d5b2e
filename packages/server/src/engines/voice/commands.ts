import { z } from 'zod';
import type { EngineCommand } from '../types.ts';
import { labelsOf } from './speakers.ts';

/** More would be no recording of people any more, and the model has to be told all of them. */
export const MAX_LABELS = 200;
const MAX_SPEAKERS = MAX_LABELS;

const fileId = z.string().min(1).max(200).describe('Of a recording that was sent to the session');
const language = z
  .string()
  .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$/, 'a code such as `de`')
  .optional()
  .describe('Language of the recording, for example `de`; default: the model finds out');
const terms = z.string().max(4000).optional().describe('Names and terms that occur in the recording');
const hints = z.string().max(4000).optional().describe('What is known about the speakers');
const seconds = z.number().nonnegative().optional();

const transcriptSchema = z.object({
  segments: z
    .array(
      z.object({
        // One line: labels are told to the model in a list.
        speaker: z
          .string()
          .trim()
          .min(1)
          .max(100)
          .regex(/^\P{Cc}*$/u, 'a label without control characters'),
        text: z.string(),
        start: seconds,
        end: seconds,
      }),
    )
    .min(1)
    .max(100_000),
});

export const transcribeSchema = z.object({ file_id: fileId, language, prompt: terms });

export const mergeSchema = z
  .object({
    transcript: transcriptSchema,
    speakers: z.int().min(1).max(MAX_SPEAKERS).describe('How many people speak'),
    hints,
  })
  .check(({ value: { transcript, speakers }, issues }) => {
    const labels = labelsOf(transcript.segments).length;
    const message = impossible(labels, speakers);
    if (message !== undefined) issues.push({ code: 'custom', message, path: ['speakers'], input: speakers });
  });

export const processSchema = z.object({
  file_id: fileId,
  prompt: z.string().min(1).describe('What to answer about the recording'),
  speakers: z
    .int()
    .min(1)
    .max(MAX_SPEAKERS)
    .optional()
    .describe('How many people speak; default: as many as the transcription tells apart'),
  language,
  terms,
  hints,
});

export const COMMANDS = {
  transcribe: { description: 'Turns a recording into text', parameters: transcribeSchema },
  merge_speakers: {
    description:
      'Decides which labels of a transcript are one person, until there are as many as there should be',
    parameters: mergeSchema,
  },
  process: {
    description: 'Transcribes a recording, merges its speakers, and answers a prompt about it',
    parameters: processSchema,
  },
} as const satisfies Readonly<Record<string, EngineCommand>>;

/** Why so many labels cannot be so many people; undefined when they can. */
export function impossible(labels: number, speakers: number): string | undefined {
  if (labels > MAX_LABELS) return `The transcript has ${labels} labels; at most ${MAX_LABELS} are possible`;
  if (speakers <= labels) return undefined;
  return labels === 0
    ? 'The transcript does not say who speaks, so its speakers cannot be told apart'
    : `The transcript has ${labels} ${labels === 1 ? 'label' : 'labels'}, so there cannot be ${speakers} speakers`;
}
