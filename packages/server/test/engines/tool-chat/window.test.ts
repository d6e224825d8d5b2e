import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateConversation } from '../../../../../tests/helpers/conversation-validator.ts';
import { shortenResults } from '../../../src/engines/tool-chat/shorten.ts';
import { fitWindow, sum, turnsOf } from '../../../src/engines/tool-chat/window.ts';
import { messageTokens } from '../../../src/models/token-estimate.ts';
import { cutText, shortened } from '../../../src/tools/cut-text.ts';
import { conversationArbitrary, said, turnArbitrary } from './conversations.ts';

const room = fc.integer({ min: 1, max: 2000 });
const tokens = (messages: Parameters<typeof sum>[0]) => sum(messages, messageTokens);
/** One step of the assistant is followed by another one, which is how a turn without tools may look here. */
const orphans = (messages: Parameters<typeof sum>[0]) =>
  validateConversation(messages).filter((complaint) => /result/.test(complaint));

describe('the window over a conversation', () => {
  test('is whole turns from its end: nothing is without its call or its result, and the newest turn is there', () => {
    fc.assert(
      fc.property(conversationArbitrary, room, (messages, limit) => {
        const { dropped, kept } = fitWindow(messages, limit);
        expect([...dropped, ...kept]).toEqual(messages);
        expect(orphans(messages)).toEqual([]);
        expect(orphans(kept)).toEqual([]);
        const newest = turnsOf(messages).at(-1) ?? [];
        expect(kept.slice(-newest.length)).toEqual(newest);
        if (dropped.length > 0) expect(kept[0]?.role).toBe('user');
      }),
    );
  });

  test('fits, unless the newest turn alone does not', () => {
    fc.assert(
      fc.property(conversationArbitrary, room, (messages, limit) => {
        const { kept } = fitWindow(messages, limit);
        expect(tokens(kept) <= limit || turnsOf(kept).length === 1).toBe(true);
      }),
    );
  });

  test('leaves nothing out of what fits', () => {
    fc.assert(
      fc.property(conversationArbitrary, (messages) => {
        expect(fitWindow(messages, tokens(messages)).dropped).toEqual([]);
      }),
    );
  });

  test('begins at the same place for some turns, so that what providers remember of it stays good', () => {
    const turns = Array.from({ length: 60 }, (_, n) => [
      said('user', `${n} ${'x'.repeat(200)}`),
      said('assistant', 'y'.repeat(200)),
    ]);
    const begins = turns.map((_, n) => fitWindow(turns.slice(0, n + 1).flat(), 1000).kept[0]);
    const moves = begins.filter((first, n) => n > 0 && first !== begins[n - 1]).length;
    expect(moves).toBeGreaterThan(5);
    expect(moves).toBeLessThan(30);
  });
});

describe('a turn that is too large by itself', () => {
  test('keeps every call and every result, and loses no more than it has to', () => {
    fc.assert(
      fc.property(turnArbitrary, room, (messages, limit) => {
        const shorter = shortenResults(messages, limit);
        expect(shorter.map(({ message_id }) => message_id)).toEqual(
          messages.map(({ message_id }) => message_id),
        );
        expect(orphans(shorter)).toEqual([]);
        if (tokens(messages) <= limit) expect(shorter).toBe(messages);
        const least = tokens(shortenResults(messages, 0));
        if (least <= limit) expect(tokens(shorter)).toBeLessThanOrEqual(limit);
        // Whatever is no result stays as it is.
        const others = (list: typeof messages) =>
          list.flatMap(({ parts }) => parts.filter(({ type }) => type !== 'tool_result'));
        expect(others([...shorter])).toEqual(others(messages));
      }),
    );
  });

  test('loses the oldest results first, and of the newest ones only their ends', () => {
    const step = (id: string, result: string) => [
      {
        ...said('assistant', ''),
        parts: [{ type: 'tool_call' as const, tool_call_id: id, tool_name: 'look', arguments: {} }],
      },
      {
        ...said('assistant', ''),
        role: 'tool' as const,
        parts: [
          { type: 'tool_result' as const, tool_call_id: id, tool_name: 'look', result, is_error: false },
        ],
      },
    ];
    const turn = [said('user', 'Look'), ...step('a', 'a'.repeat(8000)), ...step('b', 'b'.repeat(8000))];
    const resultsWith = (limit: number) =>
      shortenResults(turn, limit).flatMap(({ parts }) =>
        parts.flatMap((part) => (part.type === 'tool_result' ? [String(part.result)] : [])),
      );
    const [first, second] = resultsWith(2500);
    expect(first).toBe(`${'a'.repeat(200)}\n[shortened: it had 8000 characters]`);
    expect(second).toBe('b'.repeat(8000));
    expect(resultsWith(1000)[1]).toMatch(/^b{3000,3900}\n\[shortened: it had 8000 characters\]$/);
  });
});

test('a text is never cut within a character', () => {
  expect(cutText('ab😀', 3)).toBe('ab');
  expect(cutText('ab😀', 4)).toBe('ab😀');
  expect(shortened('😀😀', 3)).toBe('😀\n[cut: 3 of 4 characters]');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(50), (text, length) => {
      expect(cutText(text, length).isWellFormed()).toBe(true);
    }),
  );
});
