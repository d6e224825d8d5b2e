/**
 * What the demo model says: plain rules over the conversation, the same answer for the same conversation. It exists so
 * that everything around a model can be tried and tested without a key: streaming, reasoning, tools, approvals, forms,
 * structured answers, translation.
 */
import { type JsonObject, messageText } from '@llmgine/protocol';
import { findTranslation, findWordCount } from './demo-intents.ts';
import { smallestValue } from './demo-json.ts';
import { demoMerge, withoutTranscript } from './demo-merge.ts';
import { type PlannedToolCall, planSteps } from './demo-plan.ts';
import { explainResults } from './demo-results.ts';
import type { ModelRequest, ModelToolCall, ToolSpec } from './types.ts';

export type DemoPiece =
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tool_call'; readonly call: ModelToolCall };

type Turn = ModelRequest['messages'][number];

export const DEMO_NOTICE =
  'I am the demo model of LLMgine API and follow simple rules. For a real model set OPENAI_API_KEY, ' +
  'or LLMGINE_API_MODEL=provider:model (with OPENAI_BASE_URL for a server of your own).';

const MAX_ECHO = 500;
const MAX_SUGGESTIONS = 6;
const FILLER = 'one two three four five six seven eight nine ten'.split(' ');
const SUGGESTIONS: ReadonlyMap<string, string> = new Map([
  ['calculate', 'what is 2 * (3 + 4)?'],
  ['current_time', 'what time is it?'],
  ['ask_user', 'ask me for my name'],
]);

/** A prompt such as "what is 2 * 7, then ask me for my name" takes a step for each of its parts that need a tool. */
export function demoAnswer(request: ModelRequest): DemoPiece[] {
  const pieces = demoMerge(request) ?? answerPrompt(request);
  return request.reasoningEffort === 'none' ? pieces.filter(({ kind }) => kind !== 'reasoning') : pieces;
}

function answerPrompt(request: ModelRequest): DemoPiece[] {
  const { messages, toolChoice } = request;
  const tools = toolChoice === 'none' ? [] : (request.tools ?? []);
  const asked = messages.findLastIndex((message) => message.role === 'user');
  const prompt = asked === -1 ? '' : withoutTranscript(messageText(messages[asked] as Turn));
  const sinceThen = messages.slice(asked + 1);
  const steps = planSteps(prompt, tools);
  const done = sinceThen.filter(({ parts }) => parts.some(({ type }) => type === 'tool_call')).length;
  const step = steps[done] ?? (toolChoice === 'required' ? anyCall(tools) : undefined);
  if (step) return [think(step, done, steps.length), ...callTools(step, messages)];
  const schema = request.responseFormat?.schema ?? schemaInWords(request);
  if (schema) return [{ kind: 'text', text: JSON.stringify(smallestValue(schema)) }];
  const results = explainResults(sinceThen, messages);
  if (results === undefined)
    return [...considered(request), say(answerInWords(request, prompt, messages[asked]))];
  return done > 1
    ? [{ kind: 'reasoning', text: `After ${done} steps I have it all.` }, say(results)]
    : [say(results)];
}

/** What engines write where a provider takes no format of that kind. */
function schemaInWords({ system = '' }: ModelRequest): JsonObject | undefined {
  const [, written] = system.split('It has to fit this JSON Schema:\n');
  try {
    return written === undefined ? undefined : (JSON.parse(written) as JsonObject);
  } catch {
    return undefined;
  }
}

function say(text: string): DemoPiece {
  return { kind: 'text', text: `${text}\n\n${DEMO_NOTICE}` };
}

function think(step: readonly PlannedToolCall[], done: number, steps: number): DemoPiece {
  const names = step.map(({ toolName }) => toolName).join(' and ');
  const text =
    steps > 1
      ? `Step ${done + 1} of ${steps}: I call ${names}.`
      : `The question needs a tool, so I call ${names}.`;
  return { kind: 'reasoning', text };
}

/** Nothing needs thinking here, but whoever asks for reasoning gets to see some. */
function considered({ reasoningEffort }: ModelRequest): DemoPiece[] {
  return reasoningEffort === undefined
    ? []
    : [{ kind: 'reasoning', text: 'No tool is needed, so I answer in words.' }];
}

function callTools(step: readonly PlannedToolCall[], messages: readonly Turn[]): DemoPiece[] {
  const earlier = messages.flatMap(({ parts }) => parts.filter(({ type }) => type === 'tool_call')).length;
  return step.map((call, n) => ({
    kind: 'tool_call',
    call: { toolCallId: `demo_call_${earlier + n + 1}`, ...call },
  }));
}

function anyCall(tools: readonly ToolSpec[]): readonly PlannedToolCall[] | undefined {
  const [tool] = tools;
  return tool && [{ toolName: tool.name, arguments: smallestValue(tool.parameters) }];
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
  return `You said: "${shorten(prompt)}".${attached}${suggest(tools)}`;
}

function suggest(tools: readonly ToolSpec[]): string {
  if (tools.length === 0) return '';
  const tries = tools.slice(0, MAX_SUGGESTIONS).map(({ name }) => SUGGESTIONS.get(name) ?? `call ${name}`);
  return ` Try me: ${tries.join(', or ')}${tries.at(-1)?.endsWith('?') ? '' : '.'}`;
}

function shorten(prompt: string): string {
  const text = prompt.trim();
  return text.length > MAX_ECHO ? `${text.slice(0, MAX_ECHO)}…` : text;
}
