import { ApiError } from '@llmgine/protocol';
import { expect, test, vi } from 'vitest';
import {
  appended,
  finishRun,
  message,
  readLog,
  startedRun,
  textsOf,
} from '../../../../tests/contracts/storage/fixtures.ts';
import type { EngineEvent } from '../../src/engines/types.ts';
import { RunWriter } from '../../src/runs/run-writer.ts';
import { openLog } from '../sessions/open-log.ts';

/** The writer of a run that has started; its first two events are in the log already. */
async function openWriter() {
  const open = await openLog();
  const { storage, log, key } = open;
  const runId = await startedRun(storage, key);
  const run = await storage.getRun(key, runId);
  if (!run) throw new Error('no run');
  const broken: unknown[] = [];
  const writer = new RunWriter({
    run,
    attempt: run.attempt,
    elapsedMs: () => 7,
    log,
    checkEvent: (type) => {
      if (type === 'custom:wrong') throw new ApiError('VALIDATION_ERROR');
    },
    onBroken: (reason) => broken.push(reason),
  });
  open.commits.length = 0;
  const events = async () =>
    (await readLog(storage, key)).slice(2).map(({ eventType, payload }) => [eventType, JSON.parse(payload)]);
  const types = async () => (await events()).map(([type]) => type);
  const conversation = async () => textsOf(await storage.conversation(key, run.acceptedSeq));
  return { ...open, run, runId, writer, broken, events, types, conversation };
}

const started = (message_id: string): EngineEvent => ({
  event_type: 'message_started',
  payload: { message_id, role: 'assistant' },
});
const delta = (message_id: string, text: string): EngineEvent => ({
  event_type: 'text_delta',
  payload: { message_id, text },
});
const completed = (message_id: string, text: string): EngineEvent => ({
  event_type: 'message_completed',
  payload: message(text, { message_id }),
});
const usage = (input_tokens: number, extra: object = {}) => ({
  input_tokens,
  output_tokens: 1,
  total_tokens: input_tokens + 1,
  ...extra,
});

test('the first piece of a message is shown at once, those that follow wait for company and are merged', async () => {
  const { writer, log, events, commits } = await openWriter();
  await log.flushed();
  writer.emit(started('m'));
  writer.emit(delta('m', 'a'));
  await expect.poll(() => commits).toEqual([[2]]);
  writer.emit(delta('m', 'b'));
  writer.emit(delta('m', 'c'));
  writer.emit(delta('m', 'd'));
  await writer.drain();
  expect(commits).toEqual([[2], [1]]);
  expect((await events()).map(([type, { text }]) => [type, text])).toEqual([
    ['message_started', undefined],
    ['text_delta', 'a'],
    ['text_delta', 'bcd'],
  ]);
});

test('messages keep their place when they join what waits already', async () => {
  const { writer, storage, key, types, conversation, commits } = await openWriter();
  for (const id of ['m', 'n']) {
    writer.emit(started(id));
    writer.emit(delta(id, 'x'));
    writer.emit(completed(id, `whole ${id}`));
  }
  await writer.drain();
  expect(commits).toEqual([[6]]);
  expect(await types()).toEqual([
    'message_started',
    'text_delta',
    'message_completed',
    'message_started',
    'text_delta',
    'message_completed',
  ]);
  expect(await conversation()).toEqual(['whole m', 'whole n']);
  const page = await storage.readMessages(key, { limit: 1 });
  // The position of a message is its event's: two events of the start of the run, and six here.
  expect(page).toMatchObject({ headSeq: 8, next: 8 });
});

test('drain waits for the commit, and is done at once when nothing waits', async () => {
  const { writer, types } = await openWriter();
  await writer.drain();
  expect(await types()).toEqual([]);
  writer.emit({ event_type: 'status', payload: { text: 'x' } });
  await Promise.all([writer.drain(), writer.drain()]);
  expect(await types()).toEqual(['status']);
});

test('emit says when much is waiting, until it is drained', async () => {
  const { writer } = await openWriter();
  const text = 'x'.repeat(100_000);
  writer.emit(started('m'));
  expect([1, 2, 3].map(() => writer.emit(delta('m', text)))).toEqual([true, true, false]);
  await writer.drain();
  expect(writer.emit(delta('m', text))).toBe(true);
});

test.each([
  ['completed', 'discarded'],
  ['failed', 'discarded'],
  ['cancelled', 'kept'],
] as const)('what is half said when the run is %s is %s', async (status, fate) => {
  const { writer, events, conversation, storage, key, runId } = await openWriter();
  writer.emit(started('m'));
  writer.emit({ event_type: 'reasoning_delta', payload: { message_id: 'm', text: 'hm' } });
  writer.emit(delta('m', 'half a '));
  writer.emit(delta('m', 'word'));

  expect(await writer.finish({ status, result: null, error: null })).toMatchObject({ ok: true });

  const [before, last] = (await events()).slice(-2);
  expect(last).toEqual(['run_finished', { status, result: null, usage: null, error: null }]);
  if (fate === 'kept') {
    expect(before).toEqual([
      'message_completed',
      {
        message_id: 'm',
        role: 'assistant',
        run_id: runId,
        parts: [
          { type: 'reasoning', text: 'hm' },
          { type: 'text', text: 'half a word' },
        ],
        created_at: expect.any(String),
        metadata: { incomplete: true },
        replaces: { from_seq: 4, to_seq: 5 },
      },
    ]);
    expect(await conversation()).toEqual(['reasoning', 'half a word']);
  } else {
    expect(before).toEqual(['message_discarded', { message_id: 'm' }]);
    expect(await conversation()).toEqual([]);
  }
  expect((await storage.getRun(key, runId))?.openSeq).toBeNull();
});

test('a message that has begun and said nothing is withdrawn, also when the run is cancelled', async () => {
  const { writer, types, conversation } = await openWriter();
  writer.emit(started('m'));
  await writer.finish({ status: 'cancelled', result: null, error: null });
  expect(await types()).toEqual(['message_started', 'message_discarded', 'run_finished']);
  expect(await conversation()).toEqual([]);
});

test('a message that is not completed is withdrawn when another begins', async () => {
  const { writer, events, storage, key, runId } = await openWriter();
  writer.emit(started('m'));
  writer.emit(delta('m', 'half'));
  writer.emit(started('n'));
  writer.emit(delta('n', 'more'));
  // What is not open does not end what is.
  writer.emit({ event_type: 'message_discarded', payload: { message_id: 'm' } });
  await writer.drain();
  const open = await storage.getRun(key, runId);

  await writer.finish({ status: 'failed', result: null, error: null });

  const seen = await events();
  expect(seen.map(([type, { message_id }]) => [type, message_id])).toEqual([
    ['message_started', 'm'],
    ['text_delta', 'm'],
    ['message_discarded', 'm'],
    ['message_started', 'n'],
    ['text_delta', 'n'],
    ['message_discarded', 'm'],
    ['message_discarded', 'n'],
    ['run_finished', undefined],
  ]);
  // Two events of the start of the run are before these: a crash would have withdrawn the second message.
  expect(open?.openSeq).toBe(2 + 4);
});

test('a message that cannot be written stays open, and is withdrawn with the run', async () => {
  const { writer, types } = await openWriter();
  writer.emit(started('m'));
  expect(() =>
    writer.emit({
      event_type: 'message_completed',
      payload: message('x', { message_id: 'm', metadata: { n: 1n as never } }),
    }),
  ).toThrow(TypeError);
  await writer.finish({ status: 'failed', result: null, error: null });
  expect(await types()).toEqual(['message_started', 'message_discarded', 'run_finished']);
});

test('the usage of all steps is added up', async () => {
  const { writer, events } = await openWriter();
  const step = (step: number, usage: EngineEvent['payload'] | null) =>
    writer.emit({
      event_type: 'step_finished',
      payload: { step, usage, finish_reason: 'stop' },
    } as EngineEvent);
  step(1, usage(10, { cached_input_tokens: 4 }));
  step(2, null);
  step(3, usage(20, { reasoning_tokens: 3 }));
  const sum = {
    input_tokens: 30,
    output_tokens: 2,
    total_tokens: 32,
    cached_input_tokens: 4,
    reasoning_tokens: 3,
  };
  expect(writer.usage).toEqual(sum);
  await writer.finish({ status: 'completed', result: 'x', error: null });
  expect((await events()).at(-1)?.[1]).toEqual({ status: 'completed', result: 'x', usage: sum, error: null });
});

test('nothing follows the end', async () => {
  const { writer, types, broken } = await openWriter();
  await writer.finish({ status: 'completed', result: null, error: null });
  expect(writer.emit(delta('m', 'late'))).toBe(true);
  writer.emit({ event_type: 'custom:late', payload: {} });
  await writer.drain();
  expect(await types()).toEqual(['run_finished']);
  expect(broken).toEqual([]);
});

test('the end can be tried again while the storage fails', async () => {
  const { writer, types, storage } = await openWriter();
  const end = { status: 'completed', result: null, error: null } as const;
  vi.mocked(storage.append).mockRejectedValueOnce(new ApiError('STORAGE_FULL'));
  await expect(writer.finish(end)).rejects.toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }));
  expect(await writer.finish(end)).toMatchObject({ ok: true });
  expect(await writer.finish(end)).toEqual({ ok: false, reason: 'fenced' });
  expect(await types()).toEqual(['run_finished']);
});

test('a run that somebody else has ended writes nothing more, and is told so', async () => {
  const { writer, storage, key, runId, types, broken } = await openWriter();
  await appended(storage, key, { writes: [finishRun(runId)] });
  writer.emit({ event_type: 'status', payload: { text: 'x' } });
  await writer.drain();
  expect(broken).toEqual([{ ok: false, reason: 'fenced' }]);
  expect(await types()).toEqual([]);
});

test('a storage that fails is told, and drain does not hang', async () => {
  const { writer, storage, broken } = await openWriter();
  const error = new ApiError('STORAGE_FULL');
  vi.mocked(storage.append).mockRejectedValueOnce(error);
  writer.emit({ event_type: 'status', payload: { text: 'x' } });
  await writer.drain();
  expect(broken).toEqual([error]);
});

test('a custom event that its schema does not take is refused, and nothing of it is written', async () => {
  const { writer, types } = await openWriter();
  expect(() => writer.emit({ event_type: 'custom:wrong', payload: {} })).toThrow(
    expect.objectContaining({ code: 'VALIDATION_ERROR' }),
  );
  writer.emit({ event_type: 'custom:right', payload: {} });
  await writer.drain();
  expect(await types()).toEqual(['custom:right']);
});
