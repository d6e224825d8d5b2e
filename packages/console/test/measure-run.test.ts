import { expect, test } from 'vitest';
import { measureRun } from '../src/features/usage/measure-run.ts';
import type { SessionEvent } from '../src/lib/protocol.ts';

const USAGE = { input_tokens: 10, output_tokens: 50, total_tokens: 60 };
const BEGIN = Date.parse('2026-01-01T00:00:00.000Z');

function event(at: number, event_type: string, payload: object, run_id = 'run'): SessionEvent {
  const created_at = new Date(BEGIN + at).toISOString();
  return { cursor: `e:${at + 1}`, seq: at + 1, event_type, run_id, payload, created_at } as SessionEvent;
}

const EVENTS = [
  event(0, 'run_queued', { command: 'prompt' }),
  event(100, 'run_started', {}),
  event(110, 'step_started', { step: 1, model: 'm' }),
  event(150, 'text_delta', { text: 'other' }, 'another run'),
  event(310, 'text_delta', { text: 'a' }),
  event(810, 'step_finished', { step: 1, usage: USAGE, finish_reason: 'tool_calls' }),
  event(820, 'tool_call', { tool_call_id: 'c', tool_name: 'calculate', arguments: {} }),
  event(900, 'tool_result', { tool_call_id: 'c', result: 1, is_error: false, duration_ms: 80 }),
  event(910, 'step_started', { step: 2, model: 'm' }),
];

test('the first token counts from the start of the run, and the speed from the first token', () => {
  const { firstTokenMs, tokensPerSecond } = measureRun(EVENTS, 'run');
  expect(firstTokenMs).toBe(210);
  expect(tokensPerSecond).toBe(100);
});

test('steps and tools are spans in their order, and what is not over goes on until now', () => {
  const { spans, total } = measureRun(EVENTS, 'run');
  expect(spans.map(({ kind, from, to, isOver }) => [kind, from, to, isOver])).toEqual([
    ['step', 110, 810, true],
    ['tool', 820, 900, true],
    ['step', 910, 910, false],
  ]);
  expect(total).toBe(910);
});

test('the end of a run is the end of what failed with it', () => {
  const { spans } = measureRun([...EVENTS, event(960, 'run_finished', { status: 'failed' })], 'run');
  expect(spans.at(-1)).toMatchObject({ kind: 'step', from: 910, to: 960, isOver: true });
});

test('of a run whose events are gone nothing is claimed', () => {
  expect(measureRun([], 'run')).toEqual({ spans: [], total: 0, firstTokenMs: null, tokensPerSecond: null });
});
