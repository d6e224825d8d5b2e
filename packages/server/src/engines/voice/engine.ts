import { ApiError, type JsonObject } from '@llmgine/protocol';
import type { z } from 'zod';
import { promptParts } from '../prompt.ts';
import type { EngineDefinition } from '../types.ts';
import { answer } from './answer.ts';
import {
  COMMANDS,
  impossible,
  type mergeSchema,
  type processSchema,
  type transcribeSchema,
} from './commands.ts';
import { voiceConfigSchema } from './config.ts';
import { type MergedSpeakers, mergeSpeakers } from './merge-loop.ts';
import { labelsOf } from './speakers.ts';
import { transcribe } from './transcribe.ts';
import { segmentsJson, type Transcript, textOf, transcriptOf } from './transcript.ts';
import { VoiceRun } from './voice-run.ts';

/**
 * Recordings: turns them into text, finds out with the model which of the labelled speakers are one person, and answers
 * prompts about what was said. A run goes on from its last finished step, in whatever process.
 */
export const voiceProcessingEngine: EngineDefinition<typeof voiceConfigSchema> = {
  type: 'VoiceProcessingEngine',
  description: 'Transcribes recordings, finds out who speaks, and answers prompts about what was said',
  config: voiceConfigSchema,
  resumable: true,
  commands: COMMANDS,
  create(config, services) {
    const engine = {
      config,
      model: services.model(config.model),
      transcriptionModel: services.transcriptionModel(config.transcription_model),
    };
    return {
      async run(context) {
        const run = await VoiceRun.open(context, engine);
        switch (context.command) {
          case 'transcribe':
            return runTranscribe(run, context.parameters as z.output<typeof transcribeSchema>);
          case 'merge_speakers':
            return runMerge(run, context.parameters as z.output<typeof mergeSchema>);
          case 'process':
            return runProcess(run, context.parameters as z.output<typeof processSchema>);
          default:
            return answer(run, {
              parts: promptParts(context.parameters) ?? [],
              transcript: await newestTranscript(run),
            });
        }
      },
    };
  },
};

async function runTranscribe(
  run: VoiceRun,
  { file_id, language, prompt }: z.output<typeof transcribeSchema>,
): Promise<JsonObject> {
  return heardJson(await transcribe(run, { fileId: file_id, language, terms: prompt }));
}

async function runMerge(
  run: VoiceRun,
  { transcript, speakers, hints }: z.output<typeof mergeSchema>,
): Promise<JsonObject> {
  const { segments } = transcript;
  const merged = await mergeSpeakers(run, { segments, wanted: speakers, hints });
  const duration = segments.at(-1)?.end ?? null;
  keepMerged(run, { text: textOf(segments), language: null, duration, segments: merged.segments });
  return mergedJson(merged);
}

async function runProcess(
  run: VoiceRun,
  { file_id, prompt, speakers, language, terms, hints }: z.output<typeof processSchema>,
): Promise<JsonObject> {
  const heard = await transcribe(run, { fileId: file_id, language, terms });
  const labels = labelsOf(heard.segments).length;
  // One person needs no label.
  const isNobody = labels === 0 && speakers === 1;
  const problem = speakers === undefined || isNobody ? undefined : impossible(labels, speakers);
  if (problem !== undefined) throw new ApiError('VALIDATION_ERROR', problem);
  const wanted = isNobody ? 0 : (speakers ?? labels);
  const merged = await mergeSpeakers(run, { segments: heard.segments, wanted, hints });
  const transcript = { ...heard, segments: merged.segments };
  if (wanted < labels) keepMerged(run, transcript);
  if (run.done('question').length === 0) {
    run.emitMessage('user', [{ type: 'text', text: prompt }], { voice: 'question' });
  }
  const answered = await answer(run, { parts: [{ type: 'text', text: prompt }], transcript });
  return { ...heardJson(heard), ...mergedJson(merged), speakers: speakers ?? labels, answer: answered };
}

/** What a merge has made of a transcript is what later prompts are about. */
function keepMerged(run: VoiceRun, transcript: Transcript): void {
  if (run.done('merged').length === 0) run.keepTranscript('merged', transcript);
}

async function newestTranscript(run: VoiceRun): Promise<Transcript | null> {
  for (const message of (await run.history()).toReversed()) {
    const transcript = transcriptOf(message);
    if (transcript) return transcript;
  }
  return null;
}

function heardJson({ text, language, duration, segments }: Transcript): JsonObject {
  return { text, language, duration, segments: segmentsJson(segments) };
}

function mergedJson({ speakers, mapping, segments, reasons }: MergedSpeakers): JsonObject {
  return {
    speakers,
    mapping: { ...mapping },
    transcript: { segments: segmentsJson(segments) },
    reasons: reasons.map((reason) => ({ ...reason, merged: [...reason.merged] })),
  };
}
