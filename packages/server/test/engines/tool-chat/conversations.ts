/** Conversations of every shape, made by fast-check. */
import type { Message, MessagePart } from '@llmgine/protocol';
import fc from 'fast-check';

const text = fc.string({ unit: 'binary', maxLength: 400 });

/** What the assistant does in one step: it says something, and calls tools, each of which has a result. */
const step = fc.record({
  said: text,
  calls: fc.array(
    fc.record({ result: fc.oneof(text, fc.array(text, { maxLength: 3 })), isError: fc.boolean() }),
    {
      maxLength: 3,
    },
  ),
});
const turn = fc.record({ asked: text, steps: fc.array(step, { maxLength: 4 }) });

let made = 0;

function message(role: Message['role'], parts: MessagePart[], runId: string): Message {
  return {
    message_id: `msg_${++made}`,
    role,
    run_id: runId,
    parts,
    created_at: '2026-01-01T00:00:00.000Z',
    metadata: {},
  };
}

function messagesOf({
  asked,
  steps,
}: {
  asked: string;
  steps: (typeof step extends fc.Arbitrary<infer S> ? S : never)[];
}) {
  const runId = `run_${++made}`;
  return [
    message('user', [{ type: 'text', text: asked }], runId),
    ...steps.flatMap(({ said, calls }) => {
      const ids = calls.map((_, n) => `call_${n + 1}`);
      const answer = message(
        'assistant',
        [
          { type: 'text', text: said },
          ...ids.map(
            (id): MessagePart => ({ type: 'tool_call', tool_call_id: id, tool_name: 'look', arguments: {} }),
          ),
        ],
        runId,
      );
      if (calls.length === 0) return [answer];
      const results = calls.map(
        ({ result, isError }, n): MessagePart => ({
          type: 'tool_result',
          tool_call_id: ids[n] ?? '',
          tool_name: 'look',
          result,
          is_error: isError,
        }),
      );
      return [answer, message('tool', results, runId)];
    }),
  ];
}

/** One turn, whose calls all have their results. */
export const turnArbitrary: fc.Arbitrary<Message[]> = turn.map(messagesOf);

/** Turns one after the other, maybe after a greeting. */
export const conversationArbitrary: fc.Arbitrary<Message[]> = fc
  .tuple(fc.boolean(), fc.array(turn, { minLength: 1, maxLength: 12 }))
  .map(([greets, turns]) => [
    ...(greets ? [message('assistant', [{ type: 'text', text: 'Hello!' }], 'run_0')] : []),
    ...turns.flatMap(messagesOf),
  ]);

export function said(role: 'user' | 'assistant' | 'system', content: string, runId = 'run'): Message {
  return message(role, [{ type: 'text', text: content }], runId);
}
