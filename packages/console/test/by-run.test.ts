import { expect, test } from 'vitest';
import { byRun } from '../src/features/conversation/by-run.ts';

const message = (id: string, run: string | null) => ({ message_id: id, run_id: run });

test('an answer stands below what it answers, also when something else was written before it was complete', () => {
  const messages = [
    message('ask 1', '1'),
    message('ask 2', '2'),
    message('answer 1', '1'),
    message('answer 2', '2'),
  ];

  expect(byRun(messages).map(({ message_id: id }) => id)).toEqual(['ask 1', 'answer 1', 'ask 2', 'answer 2']);
});

test('messages of no run stay where they are', () => {
  const messages = [message('a', null), message('ask', '1'), message('answer', '1'), message('b', null)];

  expect(byRun(messages)).toEqual(messages);
});
