/** What any provider would refuse about a conversation, told of our messages instead of a wire. */
import type { Message } from '@llmgine/api';

type Part = Message['parts'][number];
type Call = Extract<Part, { type: 'tool_call' }>;
type Result = Extract<Part, { type: 'tool_result' }>;

export interface ConversationRules {
  /** Runs that were ended in the middle of their calls, which may have none of the results. */
  readonly interrupted?: readonly string[];
}

/** The complaints about the messages of a session; empty when every provider would take them. */
export function validateConversation(
  messages: readonly Message[],
  { interrupted = [] }: ConversationRules = {},
): string[] {
  const complaints: string[] = [];
  for (const [n, message] of messages.entries()) {
    const { role, parts, run_id } = message;
    const at = `messages[${n}] (${role})`;
    const before = messages[n - 1];
    const after = messages[n + 1];
    const wasCut = interrupted.includes(run_id ?? '');
    if (parts.length === 0 && !wasCut) complaints.push(`${at} is empty`);
    complaints.push(...misplaced(message).map((type) => `${at} has a ${type}`));
    const calls = callsOf(message);
    if (new Set(calls.map(({ tool_call_id }) => tool_call_id)).size < calls.length) {
      complaints.push(`${at} has two calls with one id`);
    }
    if (calls.length > 0 && !wasCut) {
      const answered = after?.role === 'tool' ? resultsOf(after).map(({ tool_call_id }) => tool_call_id) : [];
      for (const { tool_call_id, tool_name } of calls) {
        const times = answered.filter((id) => id === tool_call_id).length;
        if (times !== 1)
          complaints.push(`${at} calls ${tool_name} (${tool_call_id}), which has ${times} results`);
      }
    }
    if (role === 'tool') {
      const asked = before ? callsOf(before) : [];
      for (const { tool_call_id, tool_name } of resultsOf(message)) {
        const isAsked = asked.some(
          (call) => call.tool_call_id === tool_call_id && call.tool_name === tool_name,
        );
        if (!isAsked)
          complaints.push(`${at} has a result of ${tool_name} (${tool_call_id}), which nobody asked for`);
      }
    }
    if (role === 'assistant' && before?.role === 'assistant' && before.run_id === run_id) {
      complaints.push(`${at} follows another one of the same run`);
    }
  }
  return complaints;
}

const ALLOWED: Readonly<Record<Message['role'], readonly Part['type'][]>> = {
  system: ['text'],
  user: ['text', 'file'],
  assistant: ['text', 'reasoning', 'tool_call', 'file'],
  tool: ['tool_result'],
};

function misplaced({ role, parts }: Message): string[] {
  return parts.map(({ type }) => type).filter((type) => !ALLOWED[role].includes(type));
}

function callsOf({ parts }: Message): Call[] {
  return parts.filter((part) => part.type === 'tool_call');
}

function resultsOf({ parts }: Message): Result[] {
  return parts.filter((part) => part.type === 'tool_result');
}
