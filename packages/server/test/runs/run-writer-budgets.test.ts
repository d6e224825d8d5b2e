/** What the calls of a run set aside, and what they count when they do not come to their end. */
import { ApiError, type Usage } from '@llmgine/protocol';
import { expect, test, vi } from 'vitest';
import { appended, releaseRun, startedRun } from '../../../../tests/contracts/storage/fixtures.ts';
import { type RunEnd, RunWriter } from '../../src/runs/run-writer.ts';
import type { Demand } from '../../src/storage/types.ts';
import { openLog } from '../sessions/open-log.ts';

const CALL: Demand = { inputTokens: 10, maxOutputTokens: 20, price: { input: 0.01, output: 0.1 } };
const BUDGETS = { run: { tokens: 100 }, principal: { tokens: 100 } };
const COUNTED = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };

async function openWriter() {
  const { storage, log, key, commits } = await openLog();
  const runId = await startedRun(storage, key);
  const run = await storage.getRun(key, runId);
  if (!run) throw new Error('no run');
  const broken: unknown[] = [];
  const overruns: number[] = [];
  const writer = new RunWriter({
    run,
    attempt: run.attempt,
    elapsedMs: () => 7,
    log,
    checkEvent: () => {},
    onBroken: (reason) => broken.push(reason),
    onOverrun: (allowed) => overruns.push(allowed),
  });
  commits.length = 0;
  const say = (text: string) => {
    writer.emit({ event_type: 'message_started', payload: { message_id: 'm', role: 'assistant' } });
    writer.emit({ event_type: 'text_delta', payload: { message_id: 'm', text } });
  };
  const step = (usage: Usage | null) =>
    writer.emit({ event_type: 'step_finished', payload: { step: 1, usage, finish_reason: 'stop' } });
  const row = async () => {
    await writer.drain();
    return storage.getRun(key, runId);
  };
  return { storage, log, key, runId, writer, commits, broken, overruns, say, step, row };
}

test('a call is set aside in the transaction of what was emitted before', async () => {
  const { writer, commits, row } = await openWriter();
  writer.emit({ event_type: 'step_started', payload: { step: 1, model: 'demo:x' } });

  expect(await writer.reserve(BUDGETS, CALL)).toEqual({ maxOutputTokens: 20 });

  expect(commits).toEqual([[1, 0]]);
  expect((await row())?.reserved).toMatchObject({ tokens: 30, steps: 1 });
});

test('what a provider counts is what counts, and frees what was set aside', async () => {
  const { writer, say, step, row } = await openWriter();
  await writer.reserve(BUDGETS, CALL);
  say('x'.repeat(40));
  step(COUNTED);

  expect(await row()).toMatchObject({ usage: COUNTED, steps: 1, reserved: null, elapsedMs: 7 });
});

test('what a provider does not count is estimated', async () => {
  const { writer, say, step, row } = await openWriter();
  await writer.reserve(BUDGETS, CALL);
  say('x'.repeat(41));
  step(null);

  const usage = { input_tokens: 10, output_tokens: 11, total_tokens: 21, cost: 1.2 };
  expect(await row()).toMatchObject({ usage, steps: 1 });
});

test.each([
  { input_tokens: Number.MAX_SAFE_INTEGER, output_tokens: 0, total_tokens: Number.MAX_SAFE_INTEGER },
  { ...COUNTED, cost: 1e300 },
])('what no call can use is not counted, so that it spoils no sum: %j', async (absurd) => {
  const { writer, say, step, row } = await openWriter();
  await writer.reserve(BUDGETS, CALL);
  say('x'.repeat(41));
  step(absurd);
  step(absurd);

  expect(await row()).toMatchObject({ usage: { total_tokens: 21, cost: 1.2 }, steps: 2 });
});

test('without a budget nothing is estimated', async () => {
  const { say, step, row } = await openWriter();
  say('x'.repeat(41));
  step(null);

  expect(await row()).toMatchObject({ usage: null, steps: 1 });
});

test('a call for which there is no room changes nothing, and the run can go on', async () => {
  const { writer, step, row, broken } = await openWriter();
  const refused = await writer.reserve({ session: { tokens: 20 } }, CALL);

  expect(refused).toMatchObject({ exceeded: { scope: 'session', kind: 'tokens', limit: 20, needed: 26 } });
  expect(await row()).toMatchObject({ reserved: null, steps: 0 });
  step(COUNTED);
  expect(await row()).toMatchObject({ usage: COUNTED });
  expect(broken).toEqual([]);
});

const failed = (code: string): RunEnd => ({ status: 'failed', result: null, error: { code, message: 'x' } });
const CANCELLED: RunEnd = { status: 'cancelled', result: null, error: null };
const GIVEN = { input_tokens: 10, output_tokens: 0, total_tokens: 10, cost: 0.1 };
const SAID = { input_tokens: 10, output_tokens: 2, total_tokens: 12, cost: 0.3 };

test.each([
  ['cancelled before its first word', CANCELLED, '', GIVEN],
  ['cancelled in the middle', CANCELLED, 'Half an', SAID],
  ['over its time', failed('RUN_TIMEOUT'), '', GIVEN],
  ['interrupted', failed('RUN_INTERRUPTED'), '', GIVEN],
  ['refused by its provider', failed('MODEL_ERROR'), '', null],
  ['broken off by its provider', failed('MODEL_ERROR'), 'Half an', SAID],
  ['never made, because something else went wrong', failed('INTERNAL_ERROR'), '', null],
])('of a call that was %s counts what was used', async (_, end, text, usage) => {
  const { writer, say, storage, key, row } = await openWriter();
  await writer.reserve(BUDGETS, CALL);
  if (text !== '') say(text);

  await writer.finish(end);

  expect(await row()).toMatchObject({ usage, steps: usage ? 1 : 0, reserved: null });
  expect(writer.usage).toEqual(usage);
  expect(await storage.getSession(key)).toMatchObject({ usage, steps: usage ? 1 : 0, elapsedMs: 7 });
});

test('of a call that was cut off counts the same however often its end is tried', async () => {
  const { writer, say, storage, row } = await openWriter();
  await writer.reserve(BUDGETS, CALL);
  say('Half an');
  await writer.drain();
  vi.mocked(storage.append).mockRejectedValueOnce(new ApiError('STORAGE_FULL'));

  await expect(writer.finish(CANCELLED)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  await writer.finish(CANCELLED);

  expect(await row()).toMatchObject({ usage: SAID, steps: 1 });
});

test('a run that is left to be continued counts the call that it was at', async () => {
  const { writer, say, row } = await openWriter();
  await writer.reserve(BUDGETS, CALL);
  say('Half an');

  expect(await writer.pause('release_run')).toMatchObject({ ok: true });

  expect(await row()).toMatchObject({ status: 'queued', usage: SAID, steps: 1, reserved: null });
});

test('a model that says far more than it was allowed is told of, reasoning included', async () => {
  const { writer, say, overruns, step } = await openWriter();
  await writer.reserve(BUDGETS, CALL);
  say('x'.repeat(200));
  writer.emit({ event_type: 'reasoning_delta', payload: { message_id: 'm', text: 'x'.repeat(160) } });
  expect(overruns).toEqual([]);
  writer.emit({ event_type: 'text_delta', payload: { message_id: 'm', text: 'x' } });
  expect(overruns).toEqual([20]);

  step(COUNTED);
  await writer.reserve(BUDGETS, CALL);
  say('x'.repeat(300));
  expect(overruns).toEqual([20]);
});

test('a run that belongs to somebody else by now sets nothing aside, and is told so', async () => {
  const { writer, storage, key, runId, broken, row } = await openWriter();
  await appended(storage, key, { writes: [releaseRun(runId)] });

  await expect(writer.reserve(BUDGETS, CALL)).rejects.toThrow(/fenced/);

  expect(broken).toEqual([{ ok: false, reason: 'fenced' }]);
  expect((await row())?.reserved).toBeNull();
});
