import { isFinished, type SessionEvent } from '@llmgine/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reduceEvent } from '../../src/view/reduce.ts';
import { emptyState, stateOf, withOlder } from '../../src/view/state.ts';
import type { ViewState } from '../../src/view/types.ts';
import { type Recorded, record } from './record.ts';

function fromEvents({ sessionId, events, histories }: Recorded, upTo = Number.POSITIVE_INFINITY): ViewState {
  // The history of the empty session says which log it is.
  const begin = stateOf(emptyState(sessionId), [...histories.values()][0]!);
  return events.filter(({ seq }) => seq <= upTo).reduce(reduceEvent, begin);
}

/** What every view has to agree on: a history knows neither how long a tool took nor what has ended before. */
function essence({ messages, requests, runs, engine, seq, epoch }: ViewState) {
  return {
    place: [epoch, seq],
    messages: messages.map(({ tool_calls, ...message }) => ({
      ...message,
      calls: tool_calls.map(({ tool_call_id, status, result }) => ({
        tool_call_id,
        ended: status === 'done' || status === 'failed' ? [status, result] : null,
      })),
    })),
    requests: requests.map(({ request_id, prompt, kind }) => ({ request_id, prompt, kind })),
    runs: runs
      .filter(({ status }) => !isFinished(status))
      .map(({ run_id, command }) => ({ run_id, command })),
    engine: engine?.engine_id,
  };
}

/** Compares what every history and the events after it give with what all events give. */
function expectEveryCutToAgree(recorded: Recorded): ViewState {
  const whole = fromEvents(recorded);
  for (const history of recorded.histories.values()) {
    // No history says what engine is linked.
    const engine = fromEvents(recorded, Number(history.cursor.split(':')[1])).engine;
    const begin = { ...stateOf(emptyState(recorded.sessionId), history), engine };
    expect(essence(recorded.events.reduce(reduceEvent, begin))).toEqual(essence(whole));
  }
  return whole;
}

test('any history and the events after it give what all events give', async () => {
  const recorded = await record(['What is 6 * 7?', 'Hello', 'What time is it?']);

  expect(expectEveryCutToAgree(recorded).messages.length).toBeGreaterThan(6);
  expect(recorded.histories.size).toBeGreaterThan(3);
});

test('the same where people are asked, and where a run is cancelled in the middle of a word', async () => {
  const asked = await record(['What is 6 * 7?', 'What is 7 * 8?'], {
    type: 'ToolChatEngine',
    config: { approval: ['calculate'] },
  });
  expect(asked.events.filter(({ event_type }) => event_type === 'input_resolved')).toHaveLength(2);
  expect(expectEveryCutToAgree(asked).requests).toEqual([]);

  let words = 0;
  const cancelled = await record(['Tell me about cats', 'What is 6 * 7?'], undefined, {
    config: { model: 'demo' },
    onEvent: ({ event_type }, session) => {
      if (event_type === 'text_delta' && ++words === 3) void session.cancel();
    },
  });
  const { runs, messages } = expectEveryCutToAgree(cancelled);
  expect(runs.map(({ status }) => status)).toEqual(['cancelled', 'completed']);
  expect(messages.filter(({ streaming }) => streaming)).toEqual([]);
});

test('text that was withdrawn is gone, and a step that is done anew is there once', async () => {
  const { sessionId, events, histories } = await record(['Hello']);
  const id = events.find(({ event_type }) => event_type === 'message_started')!.payload as {
    message_id: string;
  };
  const begun = events.slice(0, events.findIndex(({ event_type }) => event_type === 'text_delta') + 1);
  const last = begun.at(-1)!;
  const step = begun.find(({ event_type }) => event_type === 'step_started')!;
  const again = [
    { ...last, seq: last.seq + 1, event_type: 'message_discarded', payload: { message_id: id.message_id } },
    { ...step, seq: last.seq + 2 },
  ] as SessionEvent[];

  const begin = stateOf(emptyState(sessionId), [...histories.values()][0]!);
  const streaming = begun.reduce(reduceEvent, begin);
  expect(streaming.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  const { messages, runs } = again.reduce(reduceEvent, streaming);
  expect(messages.map(({ role }) => role)).toEqual(['user']);
  expect(runs[0]?.steps).toMatchObject([{ step: 1, first_token_at: null }]);
});

test('a history in the middle changes nothing that was seen, wherever it comes and whatever comes twice', async () => {
  const recorded = await record(['What is 6 * 7?', 'And 7 * 8?']);
  const { events, histories } = recorded;
  const whole = fromEvents(recorded);
  const places = [...histories.keys()];

  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...places), { maxLength: 6 }),
      fc.array(fc.nat(events.length - 1), { maxLength: 20 }),
      (cuts, again) => {
        const doubled = new Set(again);
        let state = fromEvents(recorded, 0);
        for (const [i, event] of events.entries()) {
          state = reduceEvent(state, event);
          if (doubled.has(i)) expect(reduceEvent(state, event)).toBe(state);
          // As when the connection was lost and is there again.
          if (cuts.includes(event.seq)) state = stateOf(state, histories.get(event.seq)!);
        }
        expect(essence(state)).toEqual(essence(whole));
        // What only the events knew is still there.
        expect(state.messages.map(({ tool_calls }) => tool_calls)).toEqual(
          whole.messages.map(({ tool_calls }) => tool_calls),
        );
      },
    ),
  );
});

test('older messages come before those that are there, in any number of pages, and those of a run stay together', async () => {
  const recorded = await record(['What is 6 * 7?', 'Hello', 'What is 7 * 8?']);
  const all = [...recorded.histories.values()].at(-1)!;
  const order = fromEvents(recorded).messages.map(({ message_id }) => message_id);

  fc.assert(
    fc.property(fc.array(fc.nat(all.messages.length), { maxLength: 5 }), (cuts) => {
      const bounds = [...new Set([0, ...cuts, all.messages.length])].sort((a, b) => a - b);
      const pages = bounds.slice(1).map((end, i) => all.messages.slice(bounds[i], end));
      const last = pages.pop() ?? [];
      let state = stateOf(emptyState('s'), { ...all, messages: last, next: pages.length > 0 ? 'x' : null });
      for (const messages of pages.reverse()) state = withOlder(state, { messages, next: null });
      expect(state.messages.map(({ message_id }) => message_id)).toEqual(order);
    }),
  );
});

test('a piece of text copies its message and no other, and no state that was given away changes', async () => {
  const recorded = await record(['What is 6 * 7?', 'Hello']);
  let state = fromEvents(recorded, 0);
  for (const event of recorded.events) {
    const before = state;
    const written = JSON.stringify(before);
    state = reduceEvent(before, event);
    expect(JSON.stringify(before)).toBe(written);
    if (event.event_type !== 'text_delta') continue;
    const changed = state.messages.filter((message) => !before.messages.includes(message));
    expect(changed.map(({ message_id }) => message_id)).toEqual([event.payload.message_id]);
    expect(state.runs).toBe(before.runs);
    expect(state.requests).toBe(before.requests);
  }
});

test('a run shows its steps, when their first words came, what they used, and how it ended', async () => {
  const state = fromEvents(await record(['What is 6 * 7?']));

  const [run] = state.runs;
  expect(run).toMatchObject({ status: 'completed', engine_type: 'ToolChatEngine', error: null });
  expect(run?.finished_at).not.toBeNull();
  expect(run?.steps.length).toBe(2);
  for (const step of run?.steps ?? []) {
    expect(step.usage?.total_tokens).toBeGreaterThan(0);
    const { started_at, first_token_at, finished_at } = step;
    expect([started_at, first_token_at, finished_at].toSorted()).toEqual([
      started_at,
      first_token_at,
      finished_at,
    ]);
  }
  const [call] = state.messages.flatMap(({ tool_calls }) => tool_calls);
  expect(call).toMatchObject({ status: 'done', result: expect.anything() });
  expect(call?.duration_ms).toBeGreaterThanOrEqual(0);
});
