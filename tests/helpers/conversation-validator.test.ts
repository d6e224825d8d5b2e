import type { Message } from '@llmgine/api';
import { expect, test } from 'vitest';
import { validateConversation } from './conversation-validator.ts';

const message = (role: Message['role'], ...parts: Message['parts']): Message => ({
  message_id: 'msg',
  role,
  run_id: 'run',
  parts,
  created_at: '2026-01-01T00:00:00.000Z',
  metadata: {},
});
const text = { type: 'text', text: 'Hi' } as const;
const asks = (id: string) =>
  ({ type: 'tool_call', tool_call_id: id, tool_name: 'look', arguments: {} }) as const;
const result = (id: string, tool_name = 'look') =>
  ({ type: 'tool_result', tool_call_id: id, tool_name, result: null, is_error: false }) as const;

test('a conversation whose calls have their results is right', () => {
  const messages = [
    message('user', text),
    message('assistant', text, asks('a'), asks('b')),
    message('tool', result('a'), result('b')),
    message('assistant', text),
  ];
  expect(validateConversation(messages)).toEqual([]);
});

test.each<[string, Message[], RegExp]>([
  [
    'a call without a result',
    [message('assistant', asks('a')), message('user', text)],
    /which has 0 results/,
  ],
  [
    'a call with two',
    [message('assistant', asks('a')), message('tool', result('a'), result('a'))],
    /has 2 results/,
  ],
  [
    'a result that is late',
    [message('assistant', asks('a')), message('user', text), message('tool', result('a'))],
    /0 results/,
  ],
  ['a result without a call', [message('user', text), message('tool', result('a'))], /nobody asked for/],
  [
    'a result of another tool',
    [message('assistant', asks('a')), message('tool', result('a', 'x'))],
    /nobody asked for/,
  ],
  [
    'two calls with one id',
    [message('assistant', asks('a'), asks('a')), message('tool', result('a'))],
    /one id/,
  ],
  ['an empty message', [message('user')], /is empty/],
  ['a part that has no place there', [message('user', asks('a'))], /has a tool_call/],
  ['two answers in a row', [message('assistant', text), message('assistant', text)], /follows another/],
])('%s is told', (_, messages, complaint) => {
  expect(validateConversation(messages).join('\n')).toMatch(complaint);
});
