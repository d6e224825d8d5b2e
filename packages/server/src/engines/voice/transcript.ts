import { type Json, type JsonObject, type Message, messageText } from '@llmgine/protocol';
import { z } from 'zod';
import { transcriptLines } from './excerpts.ts';
import type { SpokenSegment } from './speakers.ts';

/** Characters of the pieces of a text that has no segments. */
const PIECE = /\S[\s\S]{0,300}(?!\S)|\S{1,300}/g;

/** What is kept of a recording, and what later prompts are about. */
export interface Transcript {
  readonly text: string;
  readonly language: string | null;
  /** Seconds. */
  readonly duration: number | null;
  readonly segments: readonly SpokenSegment[];
}

const keptSchema = z.object({
  text: z.string().optional(),
  language: z.string().nullable(),
  duration: z.number().nullable(),
  segments: z.array(
    z.object({
      text: z.string(),
      speaker: z.string().optional(),
      start: z.number().optional(),
      end: z.number().optional(),
    }),
  ),
});

/** What a message has of it besides what it says: the text only where the segments do not make it. */
export function keep({ text, language, duration, segments }: Transcript): JsonObject {
  const isMade = segments.length > 0 && text === textOf(segments);
  return { ...(isMade ? {} : { text }), language, duration, segments: segmentsJson(segments) };
}

/** The transcript that a message keeps; null when it keeps none. */
export function transcriptOf(message: Message): Transcript | null {
  const parsed = keptSchema.safeParse(message.metadata.transcript);
  if (!parsed.success) return null;
  const { text, language, duration, segments } = parsed.data;
  return {
    text: text ?? (segments.length === 0 ? messageText(message) : textOf(segments)),
    language,
    duration,
    segments,
  };
}

/** What it says, for people and models, in at most about so many characters. */
export function readable({ text, segments }: Transcript, limit = Number.POSITIVE_INFINITY): string {
  if (segments.length > 0) return transcriptLines(segments, limit);
  if (text.length <= limit) return text;
  return transcriptLines(
    [...text.matchAll(PIECE)].map(([piece]) => ({ text: piece })),
    limit,
  );
}

export function textOf(segments: readonly SpokenSegment[]): string {
  return segments.map(({ text }) => text).join(' ');
}

export function segmentsJson(segments: readonly SpokenSegment[]): Json[] {
  return segments.map((segment) => ({ ...segment }) as JsonObject);
}
