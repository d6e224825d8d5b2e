import type { Message, MessagePart } from '@llmgine/protocol';
import { modelError } from '../../models/model-error.ts';
import type { ModelRequest } from '../../models/types.ts';
import { requestOf } from '../model-config.ts';
import { streamModelStep } from '../model-step.ts';
import {
  answerMerges,
  type MergeAnswer,
  type MergeCall,
  type MergeReason,
  mergeCallsOf,
} from './merge-calls.ts';
import { MERGE_SYSTEM, MERGE_TOOL, mergePrompt, mergeReminder } from './merge-prompt.ts';
import { labelsOf, mergeSegments, Speakers, type SpokenSegment } from './speakers.ts';
import type { VoiceRun } from './voice-run.ts';

export interface MergeTask {
  readonly segments: readonly SpokenSegment[];
  /** At most as many as there are labels. */
  readonly wanted: number;
  readonly hints?: string | undefined;
}

export interface MergedSpeakers {
  readonly speakers: number;
  readonly mapping: Readonly<Record<string, string>>;
  readonly segments: readonly SpokenSegment[];
  readonly reasons: readonly MergeReason[];
}

/**
 * Has the model say which labels are one person until there are as many people as there have to be. Its answers are all that
 * counts: whoever continues the run makes the same merges of them again, and goes on with the next step. Throws `MODEL_ERROR`
 * when the model does not get there.
 */
export async function mergeSpeakers(run: VoiceRun, task: MergeTask): Promise<MergedSpeakers> {
  const { segments, wanted, hints } = task;
  const labels = labelsOf(segments);
  const speakers = new Speakers(labels, wanted);
  const merges = speakers.count - wanted;
  const limit = run.config.max_steps ?? 2 * merges + 4;
  const messages: ModelRequest['messages'][number][] = [];
  const reasons: MergeReason[] = [];
  const past = [...run.done('merge')];
  if (merges > 0) {
    messages.push(mergePrompt(segments, speakers, hints, run.config.max_transcript_length));
    if (past.length === 0) run.status(`Finding out which of ${labels.length} labels are ${persons(wanted)}`);
  }
  for (let step = 1; speakers.count > wanted; step++) {
    if (step > limit) throw tooLong(speakers, limit);
    const answer = past.shift() ?? (await ask(run, messages));
    messages.push(answer);
    const calls = mergeCallsOf(answer);
    if (calls.length === 0) {
      messages.push(mergeReminder(speakers));
      continue;
    }
    const answers = answerMerges(speakers, calls);
    for (const { reason } of answers) if (reason) reasons.push(reason);
    const parts = resultParts(calls, answers);
    messages.push({ role: 'tool', parts });
    if (run.isAnswered(answer)) continue;
    tell(run, calls, answers, parts);
    await run.context.drain();
  }
  return {
    speakers: speakers.count,
    mapping: speakers.mapping,
    segments: mergeSegments(segments, speakers),
    reasons,
  };
}

async function ask(run: VoiceRun, messages: ModelRequest['messages']): Promise<Message> {
  const { reasoning_effort: effort = 'none' } = run.config;
  // Some providers refuse to force a call while the model reasons; one that talks instead is reminded.
  const isReasoning = effort !== 'none';
  const request: ModelRequest = {
    ...requestOf(run.config),
    system: MERGE_SYSTEM,
    messages: [...messages],
    tools: [MERGE_TOOL],
    ...(isReasoning ? {} : { toolChoice: 'required' }),
  };
  const options = { step: run.nextStep(), metadata: { voice: 'merge' } };
  return (await streamModelStep(run.context, run.model, request, options)).message;
}

/** All of it in one commit, so that whoever continues the run finds either all of it or nothing. */
function tell(
  run: VoiceRun,
  calls: readonly MergeCall[],
  answers: readonly MergeAnswer[],
  parts: MessagePart[],
): void {
  for (const [n, { toolCallId, toolName, arguments: args }] of calls.entries()) {
    const { result = null, isError = true } = answers[n] ?? {};
    run.context.emit({
      event_type: 'tool_call',
      payload: { tool_call_id: toolCallId, tool_name: toolName, arguments: args },
    });
    run.context.emit({
      event_type: 'tool_result',
      payload: { tool_call_id: toolCallId, result, is_error: isError, duration_ms: 0 },
    });
  }
  run.emitMessage('tool', parts, {});
}

function resultParts(calls: readonly MergeCall[], answers: readonly MergeAnswer[]): MessagePart[] {
  return calls.map(({ toolCallId, toolName }, n) => {
    const { result = null, isError = true } = answers[n] ?? {};
    return {
      type: 'tool_result',
      tool_call_id: toolCallId,
      tool_name: toolName,
      result,
      is_error: isError,
    };
  });
}

function tooLong({ labels, count, wanted }: Speakers, limit: number): Error {
  return modelError(
    `The model did not find out in ${steps(limit)} which of ${labels.length} labels are ${persons(wanted)}: ` +
      `${count} are left. Another model, hints, or more max_steps may help`,
    { remedy: 'nothing' },
  );
}

function persons(count: number): string {
  return count === 1 ? 'one person' : `${count} people`;
}

function steps(count: number): string {
  return count === 1 ? 'one step' : `${count} steps`;
}
