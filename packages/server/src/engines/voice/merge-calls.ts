/** What the model's calls of `merge_speakers` do: the same calls, in the same order, always the same. */
import type { Json, JsonObject, Message } from '@llmgine/protocol';
import { z } from 'zod';
import { fieldErrors } from '../../validation.ts';
import type { Speakers } from './speakers.ts';

/** Calls of one answer that are listened to. */
const MAX_CALLS = 64;
const MAX_REASON = 2000;

export const mergeArguments = z.object({
  speakers: z.array(z.string()).min(2).describe('Labels that are one person'),
  reason: z.string().trim().min(1).describe('What in the transcript shows it'),
});

/** Why some labels are one person. */
export interface MergeReason {
  readonly merged: readonly string[];
  /** The label that this person had from then on. */
  readonly into: string;
  readonly reason: string;
}

export interface MergeCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly arguments: Json;
}

export interface MergeAnswer {
  readonly result: JsonObject;
  readonly isError: boolean;
  /** Of a merge that was done. */
  readonly reason?: MergeReason;
}

export function mergeCallsOf(message: Message): readonly MergeCall[] {
  return message.parts
    .filter((part) => part.type === 'tool_call')
    .map((part) => ({ toolCallId: part.tool_call_id, toolName: part.tool_name, arguments: part.arguments }));
}

/** Does the calls of one answer. Each is told what there is after it. */
export function answerMerges(speakers: Speakers, calls: readonly MergeCall[]): readonly MergeAnswer[] {
  return calls.map((call, n) => {
    if (n >= MAX_CALLS) return DEAF;
    if (call.toolName !== 'merge_speakers') {
      return refusal(
        speakers,
        `There is no tool ${JSON.stringify(call.toolName.slice(0, 64))}; there is: merge_speakers`,
      );
    }
    const parsed = mergeArguments.safeParse(call.arguments);
    if (!parsed.success) {
      const errors = fieldErrors(parsed.error).map(({ path, message }) =>
        path ? `${path}: ${message}` : message,
      );
      return refusal(speakers, `The arguments are not valid: ${errors.slice(0, 3).join('; ')}`);
    }
    const outcome = speakers.merge(parsed.data.speakers.map((label) => label.trim()));
    if (!outcome.ok) return refusal(speakers, outcome.error);
    const { merged, into } = outcome;
    const reason = parsed.data.reason.slice(0, MAX_REASON);
    return {
      result: { merged: [...merged], into, ...state(speakers) },
      isError: false,
      reason: { merged, into, reason },
    };
  });
}

const DEAF: MergeAnswer = {
  result: { error: `At most ${MAX_CALLS} calls at once are listened to` },
  isError: true,
};

function refusal(speakers: Speakers, error: string): MergeAnswer {
  return { result: { error, ...state(speakers) }, isError: true };
}

/** `labels` has one of each person: those that can still be merged. */
function state({ people, groups, count, wanted }: Speakers): JsonObject {
  return {
    labels: [...people],
    people: groups.map((labels) => [...labels]),
    count,
    wanted,
    still_to_merge: count - wanted,
  };
}
