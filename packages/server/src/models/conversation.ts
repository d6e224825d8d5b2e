import type { MessagePart } from '@llmgine/protocol';
import type { ModelRequest } from './types.ts';

export type Turn = ModelRequest['messages'][number];
export type ToolCallPart = Extract<MessagePart, { type: 'tool_call' }>;
export type ToolResultPart = Extract<MessagePart, { type: 'tool_result' }>;
export type FilePart = Extract<MessagePart, { type: 'file' }>;

const NO_RESULT = 'The call was interrupted before it had a result.';
/** The name of a tool that every provider takes. */
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;
/** Providers refuse messages without content, but that somebody spoke is part of the conversation. */
const NOTHING = '(an empty message)';

/**
 * The conversation in the form that every provider takes: no message and no text is empty, arguments are objects, tools have
 * names that providers take, and each message with tool calls is followed by one `tool` message with exactly one result for each of them. Without that a
 * single cancelled run would make providers refuse the rest of the session. Results nobody asked for are dropped.
 *
 * @param provider Who is asked. Reasoning is kept only with the metadata of this provider, and metadata only where this
 * provider has written the message.
 */
export function prepareConversation(messages: readonly Turn[], provider?: string): Turn[] {
  const prepared: Turn[] = [];
  for (const [index, message] of messages.entries()) {
    const { role } = message;
    if (role === 'tool') continue;
    const said = saidParts(message, provider);
    if (said.length > 0) prepared.push({ role, parts: said });
    else if (role === 'user') prepared.push({ role, parts: [{ type: 'text', text: NOTHING }] });
    const calls = said.filter((part) => part.type === 'tool_call');
    if (calls.length === 0) continue;
    const results = resultsAfter(messages, index);
    prepared.push({
      role: 'tool',
      parts: calls.map((call) => named(results.get(call.tool_call_id) ?? noResult(call), call.tool_name)),
    });
  }
  return prepared;
}

function saidParts({ parts, metadata }: Turn, provider: string | undefined): MessagePart[] {
  const isOwn = provider !== undefined && providerOf(metadata?.model) === provider;
  const said = parts
    .map((part) => (isOwn ? part : withoutMetadata(part)))
    .filter(isSaid)
    .map((part) => (part.type === 'tool_call' ? named(withObject(part), part.tool_name) : part));
  // Reasoning that nothing came of; Anthropic refuses it.
  return said.slice(0, said.findLastIndex((part) => part.type !== 'reasoning') + 1);
}

function providerOf(model: unknown): string | undefined {
  return typeof model === 'string' ? model.split(':', 1)[0] : undefined;
}

function withoutMetadata(part: MessagePart): MessagePart {
  if (!('provider_metadata' in part)) return part;
  const { provider_metadata: _, ...rest } = part;
  return rest;
}

function isSaid(part: MessagePart): boolean {
  if (part.type === 'reasoning') return part.provider_metadata !== undefined;
  if (part.type === 'text') return part.provider_metadata !== undefined || part.text.trim() !== '';
  return part.type !== 'tool_result';
}

/** Arguments that were cut off are kept as text, which servers refuse; that they were wrong is what the result says. */
function withObject(call: ToolCallPart): ToolCallPart {
  const { arguments: args } = call;
  const isObject = typeof args === 'object' && args !== null && !Array.isArray(args);
  return isObject ? call : { ...call, arguments: {} };
}

/** A model may have called a tool by a name that there is not; what it was called by is in its result. */
function named<Part extends ToolCallPart | ToolResultPart>(part: Part, name: string): Part {
  const tool_name = TOOL_NAME.test(name)
    ? name
    : name.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || 'unknown';
  return tool_name === part.tool_name ? part : { ...part, tool_name };
}

/** Results up to the next time the assistant speaks: some servers use the same call ids again and again. */
function resultsAfter(messages: readonly Turn[], index: number): Map<string, ToolResultPart> {
  const results = new Map<string, ToolResultPart>();
  for (let at = index; at < messages.length; at++) {
    const message = messages[at] as Turn;
    if (at > index && message.role === 'assistant') break;
    for (const part of message.parts) if (part.type === 'tool_result') results.set(part.tool_call_id, part);
  }
  return results;
}

function noResult({ tool_call_id, tool_name }: ToolCallPart): ToolResultPart {
  return { type: 'tool_result', tool_call_id, tool_name, result: NO_RESULT, is_error: true };
}

/** The content of a text file that travels in the message, or undefined when the part is something else. */
export function fileText(part: FilePart): string | undefined {
  if (part.data === undefined || !/^(text\/|application\/json\b)/.test(part.mime_type)) return undefined;
  return Buffer.from(part.data, 'base64').toString();
}

/** What the model reads instead of a file: its text, or that it is there. */
export function fileNote(part: FilePart): string {
  const name = part.name === undefined ? 'A file' : `The file ${JSON.stringify(part.name)}`;
  const text = fileText(part);
  if (text !== undefined) return `${name} (${part.mime_type}):\n${text}`;
  // Refusing instead would make every later run of the session fail on the same message.
  return `[${name} (${part.mime_type}) is attached, but cannot be shown to this model.]`;
}
