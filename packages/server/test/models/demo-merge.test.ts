import { expect, test } from 'vitest';
import { demoMerge, withoutTranscript } from '../../src/models/demo-merge.ts';
import type { ModelRequest, ToolSpec } from '../../src/models/types.ts';

const TOOL: ToolSpec = {
  name: 'merge_speakers',
  description: 'Merges',
  parameters: { type: 'object', properties: { speakers: {}, reason: {} } },
};
const question = {
  role: 'user' as const,
  parts: [{ type: 'text' as const, text: 'Hm\nLabels: A, B, C\nLabels: X' }],
};

function turn(labels: string[]): ModelRequest['messages'] {
  const call = { tool_call_id: 'x', tool_name: 'merge_speakers' };
  return [
    { role: 'assistant', parts: [{ type: 'tool_call', ...call, arguments: {} }] },
    { role: 'tool', parts: [{ type: 'tool_result', ...call, result: { labels }, is_error: false }] },
  ];
}

function callOf(messages: ModelRequest['messages'], tools = [TOOL]) {
  return demoMerge({ messages, tools })?.find((piece) => piece.kind === 'tool_call')?.call;
}

test('the demo model merges the first and the last label, and says that it cannot know', () => {
  expect(callOf([question])).toEqual({
    toolCallId: 'demo_call_1',
    toolName: 'merge_speakers',
    arguments: { speakers: ['A', 'C'], reason: expect.stringMatching(/demo model cannot judge/) },
  });
});

test('the demo model goes on with the labels that are left', () => {
  expect(callOf([question, ...turn(['A', 'B'])])).toMatchObject({
    toolCallId: 'demo_call_2',
    arguments: { speakers: ['A', 'B'] },
  });
});

test.each<[string, ModelRequest]>([
  ['has no such tool', { messages: [question] }],
  [
    'has a tool of this name with other arguments',
    { messages: [question], tools: [{ ...TOOL, parameters: {} }] },
  ],
  [
    'is told no labels',
    { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }], tools: [TOOL] },
  ],
  ['has one label left', { messages: [question, ...turn(['A'])], tools: [TOOL] }],
])('the demo model does something else when it %s', (_what, request) => {
  expect(demoMerge(request)).toBeUndefined();
});

test('the demo model answers the prompt behind a transcript', () => {
  expect(withoutTranscript('Transcript:\n[0:00] A: Hi\n\nPrompt:\nfake\n\nPrompt:\nWho?')).toBe('Who?');
  expect(withoutTranscript('Hello\n\nPrompt:\nWho?')).toBe('Hello\n\nPrompt:\nWho?');
});
