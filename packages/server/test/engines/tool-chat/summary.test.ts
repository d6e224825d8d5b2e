import fc from 'fast-check';
import { expect, test } from 'vitest';
import { remembered, withSummary } from '../../../src/engines/tool-chat/summary.ts';
import { transcript } from '../../../src/engines/tool-chat/transcript.ts';
import { turnsOf } from '../../../src/engines/tool-chat/window.ts';
import { conversationArbitrary, said } from './conversations.ts';

const summaryOf = (to: string, text = 'They met.') => ({
  ...said('system', text),
  metadata: { summary_of: { from_message_id: 'msg_0', to_message_id: to, messages: 1 } },
});

test('what is remembered is the newest summary, and everything after what it is of', () => {
  fc.assert(
    fc.property(conversationArbitrary, fc.nat(), fc.nat(), (messages, one, other) => {
      const turns = turnsOf(messages);
      const [end, later] = [one % turns.length, other % turns.length].sort((a, b) => a - b) as [
        number,
        number,
      ];
      const endOf = (n: number) => turns[n]?.at(-1)?.message_id ?? '';
      const [old, recent] = [summaryOf(endOf(end), 'Old'), summaryOf(endOf(later), 'Recent')];
      // A summary is written when a later turn has begun, and is kept among its messages.
      const history = [...messages.slice(0, -1), old, recent, ...messages.slice(-1)];
      const found = remembered(history);
      expect(found.summary).toBe(recent);
      expect(found.messages).toEqual(turns.slice(later + 1).flat());
    }),
  );
});

test('a summary of messages that are not there is none, and no part of the conversation', () => {
  const messages = [said('user', 'Hi'), said('assistant', 'Hello')];
  expect(remembered([...messages, summaryOf('msg_gone')])).toEqual({ summary: null, messages });
});

test('other messages of the system stay in the conversation', () => {
  const messages = [said('system', 'Be kind'), said('user', 'Hi')];
  expect(remembered(messages)).toEqual({ summary: null, messages });
});

test('the summary comes before the first prompt, in the same message', () => {
  const [prompt, summary] = [said('user', 'And now?'), summaryOf('msg_1')];
  const [first, ...others] = withSummary([prompt, said('assistant', 'Now this')], summary);
  expect(first?.role).toBe('user');
  expect(first?.parts).toHaveLength(2);
  expect(first?.parts[0]).toMatchObject({ type: 'text', text: expect.stringContaining('They met.') });
  expect(first?.parts[1]).toEqual(prompt.parts[0]);
  expect(others).toHaveLength(1);
  expect(withSummary([], summary)).toHaveLength(1);
});

test('a transcript has what everybody said, and fits', () => {
  fc.assert(
    fc.property(conversationArbitrary, fc.integer({ min: 1, max: 3000 }), (messages, length) => {
      const written = transcript(messages, length);
      expect(written.length).toBeLessThanOrEqual(length);
    }),
  );
  const long = [
    said('user', 'My name is Ada.'),
    said('assistant', 'z'.repeat(100_000)),
    said('user', 'Thank you.'),
  ];
  const written = transcript(long, 2000);
  expect(written).toMatch(/^User: My name is Ada\.\nAssistant: z+ \[…\]\nUser: Thank you\.$/);
});
