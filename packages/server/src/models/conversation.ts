import type { MessagePart } from '@llmgine/protocol';
import type { ModelRequest } from './types.ts';

export type Turn = ModelRequest['messages'][number];
export type ToolCallPart = Extract<MessagePart, { type: 'tool_call' }>;
export type ToolResultPart = Extract<MessagePart, { type: 'tool_result' }>;
export type FilePart = Extract<MessagePart, { type: 'file' }>;

const NO_RESULT = 'The call was interrupted before it had a result.';

/**
 * The conversation in the form that every provider takes: reasoning is gone, no message is empty, arguments are objects,
 * and each message with tool calls is followed by one `tool` message with exactly one result for each of them. Without
 * that a single cancelled run would make providers refuse the rest of the session. Results nobody asked for are dropped.
 */
export function prepareConversation(messages: readonly Turn[]): Turn[] {
  const prepared: Turn[] = [];
  for (const [index, { role, parts }] of messages.entries()) {
    if (role === 'tool') continue;
    const said = parts
      .filter((part) => part.type !== 'reasoning' && part.type !== 'tool_result')
      .map((part) => (part.type === 'tool_call' ? withObject(part) : part));
    if (said.length > 0) prepared.push({ role, parts: said });
    const calls = said.filter((part) => part.type === 'tool_call');
    if (calls.length === 0) continue;
    const results = resultsAfter(messages, index);
    prepared.push({
      role: 'tool',
      parts: calls.map((call) => results.get(call.tool_call_id) ?? noResult(call)),
    });
  }
  return prepared;
}

/** Arguments that were cut off are kept as text, which servers refuse; that they were wrong is what the result says. */
function withObject(call: ToolCallPart): ToolCallPart {
  const { arguments: args } = call;
  const isObject = typeof args === 'object' && args !== null && !Array.isArray(args);
  return isObject ? call : { ...call, arguments: {} };
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
