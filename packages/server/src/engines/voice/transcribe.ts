import type { TranscriptionRequest } from '../../models/transcription.ts';
import { audioName } from './audio-name.ts';
import { clock } from './excerpts.ts';
import type { Transcript } from './transcript.ts';
import type { VoiceRun } from './voice-run.ts';

/** What models that are paid by the token count for a second of speech. */
const TOKENS_PER_SECOND = 10;

export interface Recording {
  readonly fileId: string;
  readonly language?: string | undefined;
  readonly terms?: string | undefined;
}

/** Transcribes a recording as one step, and keeps the transcript in the conversation; done once in a run. */
export async function transcribe(run: VoiceRun, recording: Recording): Promise<Transcript> {
  const kept = run.kept('transcript');
  if (kept) return kept;
  const { context, transcriptionModel: model } = run;
  const file = await context.file(recording.fileId);
  const name = audioName(file);
  const length = file.duration === null ? '' : ` (${clock(file.duration)})`;
  run.status(`Transcribing ${name}${length}`);
  const step = run.nextStep();
  context.emit({ event_type: 'step_started', payload: { step, model: model.id } });
  await context.reserve({
    model: model.id,
    inputTokens: Math.ceil((file.duration ?? 0) * TOKENS_PER_SECOND),
  });
  const request: TranscriptionRequest = {
    audio: {
      mimeType: file.mimeType,
      name,
      size: file.size,
      duration: file.duration,
      read: () => file.read(),
    },
    ...(recording.language === undefined ? {} : { language: recording.language }),
    ...(recording.terms === undefined ? {} : { prompt: recording.terms }),
  };
  const { usage, ...heard } = await model.transcribe(request, context.signal);
  const transcript: Transcript = { ...heard, duration: heard.duration ?? file.duration };
  run.keepTranscript('transcript', transcript, model.id);
  context.emit({ event_type: 'step_finished', payload: { step, usage, finish_reason: 'stop' } });
  await context.drain();
  return transcript;
}
