/**
 * What the demo model says: plain rules over the conversation, the same answer for the same conversation. It exists so
 * that everything around a model can be tried and tested without a key: streaming, reasoning, tools, translation.
 */
import { type Json, type JsonObject, messageText } from '@llmgine/protocol';
import {
  findArithmetic,
  findInvocation,
  findTimeQuestion,
  findTimeZone,
  findTranslation,
  findWordCount,
} from './demo-intents.ts';
import type { ModelRequest, ModelToolCall, ToolSpec } from './types.ts';

export type DemoPiece =
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tool_call'; readonly call: ModelToolCall };

type Turn = ModelRequest['messages'][number];
type ToolResult = Extract<Turn['parts'][number], { type: 'tool_result' }>;

export const DEMO_NOTICE =
  'I am the demo model of LLMgine API and follow simple rules. For a real model set OPENAI_API_KEY, ' +
  'or LLMGINE_API_MODEL=provider:model (with OPENAI_BASE_URL for a server of your own).';

const MAX_ECHO = 500;
const FILLER = 'one two three four five six seven eight nine ten'.split(' ');

export function demoAnswer(request: ModelRequest): DemoPiece[] {
  const { messages, tools = [] } = request;
  const asked = messages.findLastIndex((message) => message.role === 'user');
  const prompt = asked === -1 ? '' : messageText(messages[asked] as Turn);
  const results = messages.slice(asked + 1).flatMap(resultsOf);
  if (results.length > 0) return [say(results.map((result) => explain(result, messages)).join(' '))];
  const calls = chooseCalls(prompt, tools, countCalls(messages));
  if (calls.length > 0) {
    const names = calls.map(({ toolName }) => toolName).join(' and ');
    return [
      { kind: 'reasoning', text: `The question needs a tool, so I call ${names}.` },
      ...calls.map((call) => ({ kind: 'tool_call', call }) as const),
    ];
  }
  return [say(answerInWords(request, prompt, messages[asked]))];
}

function say(text: string): DemoPiece {
  return { kind: 'text', text: `${text}\n\n${DEMO_NOTICE}` };
}

function answerInWords(
  { system = '', tools = [] }: ModelRequest,
  prompt: string,
  message: Turn | undefined,
): string {
  const translation = findTranslation(system, prompt);
  if (translation) return `[${translation.language}] ${translation.text}`;
  const words = findWordCount(prompt);
  if (words !== undefined)
    return Array.from({ length: words }, (_, n) => FILLER[n % FILLER.length]).join(' ');
  const files = message?.parts.filter((part) => part.type === 'file') ?? [];
  const attached = files.length === 0 ? '' : ` Attached: ${files.map((file) => file.mime_type).join(', ')}.`;
  const able = tools.length === 0 ? '' : ` Try me: ${tools.map(suggestion).join(' ')}`;
  return `You said: "${shorten(prompt)}".${attached}${able}`;
}

function suggestion({ name }: ToolSpec): string {
  if (name === 'calculate') return 'what is 2 * (3 + 4)?';
  return name === 'current_time' ? 'what time is it?' : `call ${name}`;
}

function shorten(prompt: string): string {
  const text = prompt.trim();
  return text.length > MAX_ECHO ? `${text.slice(0, MAX_ECHO)}…` : text;
}

function chooseCalls(prompt: string, tools: readonly ToolSpec[], earlier: number): ModelToolCall[] {
  const chosen: Omit<ModelToolCall, 'toolCallId'>[] = [];
  const calculate = tools.find(({ name }) => name === 'calculate');
  const clock = tools.find(({ name }) => name === 'current_time');
  const named = findInvocation(
    prompt,
    tools.map(({ name }) => name),
  );
  const expression = findArithmetic(prompt);
  if (named?.arguments !== undefined) {
    chosen.push({ toolName: named.name, arguments: named.arguments });
  } else {
    if (calculate && expression !== undefined) {
      const parameter = parameterOf(calculate, /expr/i) ?? 'expression';
      chosen.push({ toolName: 'calculate', arguments: { [parameter]: expression } });
    }
    if (clock && findTimeQuestion(prompt)) {
      chosen.push({ toolName: 'current_time', arguments: zoneOf(clock, prompt) });
    }
    if (named && chosen.length === 0) chosen.push({ toolName: named.name, arguments: {} });
  }
  return chosen.map((call, n) => ({ toolCallId: `demo_call_${earlier + n + 1}`, ...call }));
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

function resultsOf(message: Turn): ToolResult[] {
  return message.parts.filter((part) => part.type === 'tool_result');
}

function countCalls(messages: readonly Turn[]): number {
  let count = 0;
  for (const message of messages) for (const part of message.parts) if (part.type === 'tool_call') count++;
  return count;
}

function explain(
  { tool_call_id, tool_name, result, is_error }: ToolResult,
  messages: readonly Turn[],
): string {
  const value = describe(result);
  if (is_error) return `The tool ${tool_name} failed: ${value}`;
  if (tool_name === 'calculate') {
    const expression = argumentsOf(tool_call_id, messages);
    return `${expression === undefined ? 'The result' : expression} is ${value}.`;
  }
  return tool_name === 'current_time' ? `It is ${value}.` : `The tool ${tool_name} answered: ${value}.`;
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
