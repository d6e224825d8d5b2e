/** What the demo model makes of the results of its tools, in words. */
import type { Json } from '@llmgine/protocol';
import type { ModelRequest } from './types.ts';

type Turn = ModelRequest['messages'][number];
type ToolResult = Extract<Turn['parts'][number], { type: 'tool_result' }>;

/** Undefined when there are no results. */
export function explainResults(sinceThen: readonly Turn[], messages: readonly Turn[]): string | undefined {
  const results = sinceThen.flatMap(({ parts }) => parts.filter((part) => part.type === 'tool_result'));
  return results.length === 0 ? undefined : results.map((result) => explain(result, messages)).join(' ');
}

function explain(
  { tool_call_id, tool_name, result, is_error }: ToolResult,
  messages: readonly Turn[],
): string {
  const value = describe(result);
  if (is_error) return explainFailure(tool_name, value);
  if (tool_name === 'calculate') {
    const expression = argumentsOf(tool_call_id, messages);
    return `${expression === undefined ? 'The result' : expression} is ${value}.`;
  }
  if (tool_name === 'current_time') return `It is ${value}.`;
  if (tool_name === 'ask_user') return `You told me: ${answers(result)}.`;
  return `The tool ${tool_name} answered: ${value}.`;
}

/** A model knows of the people behind a call only what the result says, so it has to read it. */
function explainFailure(toolName: string, text: string): string {
  const said = /[.!?]$/.test(text) ? text : `${text}.`;
  if (toolName === 'ask_user') return `I got no answer: ${said}`;
  if (/\bdenied\b/i.test(text)) return `I was not allowed to call ${toolName}: ${said}`;
  if (/\b(?:in time|expired)\b/i.test(text)) return `${toolName} was not called in the end: ${said}`;
  return `The tool ${toolName} failed: ${said}`;
}

/** The values of a form. */
function answers(result: Json): string {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return describe(result);
  const entries = Object.entries(result);
  const [first] = entries;
  if (first && entries.length === 1) return inWords(first[1]);
  return entries.map(([name, value]) => `${name.replaceAll('_', ' ')} ${inWords(value)}`).join(', ');
}

function inWords(value: Json): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The first text among the arguments of the latest call with this id. */
function argumentsOf(toolCallId: string, messages: readonly Turn[]): string | undefined {
  for (const message of messages.toReversed()) {
    for (const part of message.parts) {
      if (part.type !== 'tool_call' || part.tool_call_id !== toolCallId) continue;
      const values =
        typeof part.arguments === 'object' && part.arguments !== null ? Object.values(part.arguments) : [];
      return values.find((value) => typeof value === 'string');
    }
  }
  return undefined;
}

/** A result in words: a value as it is, an object by what it has for people or by its only entry, the rest as JSON. */
function describe(result: Json): string {
  if (typeof result !== 'object' || result === null) return String(result);
  if (!Array.isArray(result) && typeof result.local === 'string') return result.local;
  const values = Object.values(result);
  const [only] = values;
  return values.length === 1 && typeof only !== 'object' ? String(only) : JSON.stringify(result);
}
