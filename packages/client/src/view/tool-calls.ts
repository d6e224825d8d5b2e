/** How the calls of messages go: what the parts say, and what the events add to it. */
import type { EventPayload, Message } from '@llmgine/protocol/wire';
import type { ViewMessage, ViewToolCall } from './types.ts';

type Messages = readonly ViewMessage[];

export function toolCallsOf({ parts }: Pick<Message, 'parts'>): readonly ViewToolCall[] {
  return parts.flatMap((part) =>
    part.type === 'tool_call'
      ? [
          {
            tool_call_id: part.tool_call_id,
            tool_name: part.tool_name,
            arguments: part.arguments,
            status: 'waiting' as const,
            result: null,
            duration_ms: null,
          },
        ]
      : [],
  );
}

export function toolCalled(
  messages: Messages,
  runId: string | null,
  { tool_call_id }: EventPayload<'tool_call'>,
): Messages {
  return update(messages, runId, tool_call_id, (call) =>
    call.status === 'waiting' ? { ...call, status: 'running' } : call,
  );
}

export function toolAnswered(
  messages: Messages,
  runId: string | null,
  { tool_call_id, result, is_error, duration_ms }: EventPayload<'tool_result'>,
): Messages {
  return update(messages, runId, tool_call_id, (call) => ({
    ...call,
    status: is_error ? 'failed' : 'done',
    result,
    duration_ms,
  }));
}

/** The results of a message, given to the calls before it. */
export function resultsOf(messages: Messages, message: Message): Messages {
  let updated = messages;
  for (const part of message.parts) {
    if (part.type !== 'tool_result') continue;
    updated = update(updated, message.run_id, part.tool_call_id, (call) => ({
      ...call,
      status: part.is_error ? 'failed' : 'done',
      result: part.result,
    }));
  }
  return updated;
}

/** The same for a whole list. */
export function withResults(messages: Messages): Messages {
  let updated = messages;
  for (const message of messages) if (message.role === 'tool') updated = resultsOf(updated, message);
  return updated;
}

/** The latest call with this id in its run: models use ids again. */
function update(
  messages: Messages,
  runId: string | null,
  id: string,
  change: (call: ViewToolCall) => ViewToolCall,
): Messages {
  const isCall = (call: ViewToolCall) => call.tool_call_id === id;
  const at = messages.findLastIndex(({ run_id, tool_calls }) => run_id === runId && tool_calls.some(isCall));
  const message = messages[at];
  if (!message) return messages;
  const tool_calls = message.tool_calls.map((call) => (isCall(call) ? change(call) : call));
  return messages.with(at, { ...message, tool_calls });
}
