import { expect, test } from 'vitest';
import { event } from '../../../../tests/contracts/storage/fixtures.ts';
import { PendingAppend } from '../../src/sessions/pending.ts';
import type { IdempotencyRecord, NewRequest } from '../../src/storage/types.ts';

const KEY = { tenantId: 't', ownerId: 'o', sessionId: 's' };
const RECORD: IdempotencyRecord = {
  tenantId: 't',
  ownerId: 'o',
  idempotencyKey: 'k',
  bodyHash: 'hash',
  response: '{}',
  createdAt: 1,
};
const REQUEST: NewRequest = {
  requestId: 'q',
  runId: 'r',
  requestKey: 'key',
  kind: 'approval',
  prompt: 'May I?',
  schema: null,
  arguments: undefined,
  toolName: null,
  toolCallId: null,
  createdAt: 1,
  expiresAt: 2,
};

function shapes(pending: PendingAppend) {
  return pending
    .take()
    .events.map(({ eventType, payload, createdAt }) => [
      eventType,
      JSON.parse(payload).text ?? JSON.parse(payload),
      createdAt,
    ]);
}

test('deltas of one message and kind are merged, in the time of the first', () => {
  const pending = new PendingAppend(KEY, {});
  for (const [n, text] of ['Hel', 'lo ', 'world'].entries()) {
    pending.addDelta('text_delta', 'r', 'm', text, n);
  }
  expect(pending.size).toBe(11);
  expect(shapes(pending)).toEqual([['text_delta', 'Hello world', 0]]);
});

test('another message, another kind or an event in between is not merged', () => {
  const pending = new PendingAppend(KEY, {});
  pending.addDelta('text_delta', 'r', 'm', 'a', 0);
  pending.addDelta('reasoning_delta', 'r', 'm', 'b', 1);
  pending.addDelta('reasoning_delta', 'r', 'n', 'c', 2);
  pending.add([event('custom:x', { payload: '{}', createdAt: 3 })]);
  pending.addDelta('reasoning_delta', 'r', 'n', 'd', 4);
  expect(shapes(pending)).toEqual([
    ['text_delta', 'a', 0],
    ['reasoning_delta', 'b', 1],
    ['reasoning_delta', 'c', 2],
    ['custom:x', {}, 3],
    ['reasoning_delta', 'd', 4],
  ]);
});

test('merging ends before a frame becomes large', () => {
  const pending = new PendingAppend(KEY, {});
  for (let n = 0; n < 5; n++) pending.addDelta('text_delta', 'r', 'm', 'x'.repeat(7000), n);
  expect(shapes(pending).map(([, text]) => (text as string).length)).toEqual([14_000, 14_000, 7000]);
});

test('a merged delta is JSON whatever its text is', () => {
  const text = '"\\\n\u2028\ud83e\0🦊';
  const pending = new PendingAppend(KEY, {});
  pending.addDelta('text_delta', 'r', 'm"', text, 0);
  const payload = pending.take().events[0]?.payload as string;
  expect(JSON.parse(payload)).toEqual({ message_id: 'm"', text });
});

test('writes that join later name the events that they came with', () => {
  const rest = { fence: { runId: 'r', attempt: 2 }, touchedAt: 7, idempotency: RECORD };
  const pending = new PendingAppend(KEY, rest);
  const write = { kind: 'insert_message', eventIndex: 0 } as const;
  pending.add([event('custom:a'), event('custom:b')], [{ ...write, eventIndex: 1 }]);
  pending.add(
    [event('custom:c')],
    [
      write,
      { kind: 'open_message', runId: 'r', eventIndex: 0 },
      { kind: 'open_message', runId: 'r', eventIndex: null },
      { kind: 'create_request', request: REQUEST, eventIndex: 0 },
      { kind: 'checkpoint', runId: 'r', usage: null, elapsedMs: 1 },
    ],
  );
  const append = pending.take();
  expect(append.events.map(({ eventType }) => eventType)).toEqual(['custom:a', 'custom:b', 'custom:c']);
  expect(append.writes?.map((one) => 'eventIndex' in one && one.eventIndex)).toEqual([
    1,
    2,
    2,
    null,
    2,
    false,
  ]);
  expect(append).toMatchObject({ session: KEY, ...rest });
});

test('taking closes it, and settling tells everybody once', () => {
  const pending = new PendingAppend(KEY, {});
  const heard: unknown[] = [];
  pending.onSettled((outcome) => heard.push(['one', outcome]));
  pending.onSettled((outcome) => heard.push(['two', outcome]));
  expect(pending.open).toBe(true);
  pending.take();
  expect(pending.open).toBe(false);
  const error = new Error('full');
  pending.settle(error);
  pending.settle(error);
  expect(heard).toEqual([
    ['one', error],
    ['two', error],
  ]);
});
