import { ApiError } from '@llmgine/protocol';
import type { AudioInput, Transcription, TranscriptionModel, TranscriptSegment } from './transcription.ts';

/** Seconds that a sentence takes where nobody can tell how long the recording is. */
const SENTENCE = 3;

/**
 * The transcription model `demo`: hears nothing and says so. It tells what can be told of a recording without listening, in
 * sentences of three voices, so that everything behind a transcription can be tried without a key. The first and the last
 * of the voices are the same person. Throws `VALIDATION_ERROR` for the name of another model.
 */
export function demoTranscription(name: string): TranscriptionModel {
  if (name !== '' && name !== 'demo') {
    throw new ApiError('VALIDATION_ERROR', 'There is no such demo model for speech; there is: demo:demo');
  }
  return { id: 'demo:demo', transcribe };
}

async function transcribe(
  { audio, language }: Parameters<TranscriptionModel['transcribe']>[0],
  signal: AbortSignal,
): Promise<Transcription> {
  signal.throwIfAborted();
  const { duration = null } = audio;
  const segments = spread(sentences(audio, duration), duration);
  return {
    text: segments.map(({ text }) => text).join(' '),
    language: language ?? 'en',
    duration,
    segments,
    usage: null,
  };
}

function sentences({ mimeType, size }: AudioInput, duration: number | null): readonly [string, string][] {
  const length = duration === null ? 'I cannot tell how long it is' : `it is ${round(duration)} seconds long`;
  return [
    ['A', 'I am the demo transcription of LLMgine API, and I do not listen to recordings.'],
    ['B', `What can be told of this one: its type is ${mimeType}, it has ${size} bytes, and ${length}.`],
    [
      'C',
      'To hear what is said in it, set OPENAI_API_KEY, or LLMGINE_API_TRANSCRIPTION_MODEL=provider:model.',
    ],
  ];
}

function spread(said: readonly [string, string][], duration: number | null): TranscriptSegment[] {
  const each = duration === null ? SENTENCE : duration / said.length;
  return said.map(([speaker, text], n) => ({
    start: round(n * each),
    end: round((n + 1) * each),
    text,
    speaker,
  }));
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
