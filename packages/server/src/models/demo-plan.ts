/** Which tools the demo model calls for a prompt, step by step. */
import type { Json, JsonObject } from '@llmgine/protocol';
import {
  findArithmetic,
  findInvocations,
  findTimeQuestion,
  findTimeZone,
  splitSteps,
} from './demo-intents.ts';
import { findQuestion } from './demo-question.ts';
import type { ToolSpec } from './types.ts';

export interface PlannedToolCall {
  readonly toolName: string;
  readonly arguments: Json;
}

/** The calls of each step, those of one step side by side. Parts of the prompt that need no tool are no steps. */
export function planSteps(
  prompt: string,
  tools: readonly ToolSpec[],
): readonly (readonly PlannedToolCall[])[] {
  if (tools.length === 0) return [];
  return splitSteps(prompt)
    .map((part) => planStep(part, tools))
    .filter((step) => step.length > 0);
}

function planStep(part: string, tools: readonly ToolSpec[]): readonly PlannedToolCall[] {
  const names = tools.map(({ name }) => name);
  const invocations = findInvocations(part, names);
  // Who writes the arguments knows what is to be called.
  const exact = invocations.filter((call) => call.arguments !== undefined);
  if (exact.length > 0) return invocations.map(toCall);
  const find = (name: string) => tools.find((tool) => tool.name === name);
  const [calculate, clock] = [find('calculate'), find('current_time')];
  const question = names.includes('ask_user') ? findQuestion(part) : undefined;
  const rest = question?.rest ?? part;
  const chosen: PlannedToolCall[] = [];
  const expression = findArithmetic(rest);
  if (calculate && expression !== undefined) {
    const parameter = parameterOf(calculate, /expr/i) ?? 'expression';
    chosen.push({ toolName: 'calculate', arguments: { [parameter]: expression } });
  }
  if (clock && findTimeQuestion(rest)) {
    chosen.push({ toolName: 'current_time', arguments: zoneOf(clock, rest) });
  }
  if (question) chosen.push({ toolName: 'ask_user', arguments: question.arguments });
  return chosen.length > 0 ? chosen : invocations.map(toCall);
}

function toCall({
  name,
  arguments: args = {},
}: {
  name: string;
  arguments: Json | undefined;
}): PlannedToolCall {
  return { toolName: name, arguments: args };
}

function parameterOf({ parameters }: ToolSpec, pattern: RegExp): string | undefined {
  const names = Object.keys((parameters.properties ?? {}) as JsonObject);
  return names.find((name) => pattern.test(name));
}

function zoneOf(clock: ToolSpec, prompt: string): JsonObject {
  const name = parameterOf(clock, /zone/i);
  const zone = findTimeZone(prompt);
  return name === undefined || zone === undefined ? {} : { [name]: zone };
}
