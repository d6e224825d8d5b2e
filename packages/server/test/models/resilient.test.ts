import { ApiError } from '@llmgine/protocol';
import { describe, expect, test } from 'vitest';
import { ModelError, type Remedy } from '../../src/models/model-error.ts';
import { resilientModel } from '../../src/models/resilient.ts';
import type { Model, ModelFinish, ModelRequest, ModelSink } from '../../src/models/types.ts';
import { RecordingSink } from './recording-sink.ts';

const REQUEST: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] };
const FINISH: ModelFinish = { finishReason: 'stop', usage: null };

type Act = (sink: ModelSink, signal: AbortSignal) => ModelFinish | Promise<ModelFinish>;

/** A model that does the next of these with each call, and its last one again and again. */
function acting(id: string, ...acts: Act[]): Model & { calls: number } {
  const model = {
    id,
    calls: 0,
    stream: async (_request: ModelRequest, sink: ModelSink, signal: AbortSignal) => {
      const act = acts[Math.min(model.calls++, acts.length - 1)];
      if (!act) throw new TypeError('nothing to do');
      return act(sink, signal);
    },
  };
  return model;
}

const says =
  (text: string): Act =>
  (sink) => {
    sink.text(text);
    return FINISH;
  };

const fails =
  (remedy: Remedy, retryAfter?: number): Act =>
  () => {
    throw new ModelError(`failed: ${remedy}`, { remedy, retryAfter });
  };

function call(models: readonly Model[], retries = 2, signal = new AbortController().signal) {
  const sink = new RecordingSink();
  const finish = resilientModel(models, { retries, firstWaitMs: 1 }).stream(REQUEST, sink, signal);
  return { sink, finish };
}

describe('a call that fails before anything was said', () => {
  test('is tried again, and people hear of it', async () => {
    const model = acting('a:one', fails('again'), fails('again'), says('Hi'));
    const { sink, finish } = call([model]);

    await expect(finish).resolves.toEqual(FINISH);
    expect(sink.said).toBe('Hi');
    expect(model.calls).toBe(3);
    expect(sink.notices).toEqual(Array(2).fill('a:one failed; trying again in 1 s'));
  });

  test('is tried as often as it may be, and fails with what the provider said last', async () => {
    const model = acting('a:one', fails('again'));

    await expect(call([model], 3).finish).rejects.toThrow('failed: again');
    expect(model.calls).toBe(4);
  });

  test('is not tried again when that cannot help', async () => {
    const model = acting('a:one', fails('elsewhere'), says('Hi'));

    await expect(call([model]).finish).rejects.toThrow('failed: elsewhere');
    expect(model.calls).toBe(1);
  });

  test('is not tried again before the provider wants it: a long wait is left to whoever asked', async () => {
    const model = acting('a:one', fails('again', 3600), says('Hi'));

    await expect(call([model]).finish).rejects.toMatchObject({ code: 'MODEL_ERROR', retryAfter: 3600 });
    expect(model.calls).toBe(1);
  });

  test('waits at least as long as the provider asks', async () => {
    const began = performance.now();
    await call([acting('a:one', fails('again', 0.25), says('Hi'))]).finish;

    // The clock of timers is a little coarser than this one.
    expect(performance.now() - began).toBeGreaterThan(240);
  });

  test('of a provider of somebody else is tried again when it says after how long', async () => {
    const plain: Act = () => {
      throw new ApiError('MODEL_ERROR', 'busy', { retryAfter: 0 });
    };

    await expect(call([acting('a:one', plain, says('Hi'))]).finish).resolves.toEqual(FINISH);
  });

  test('ends at once when its signal aborts in the pause', async () => {
    const controller = new AbortController();
    const model = acting('a:one', fails('again', 30), says('Hi'));
    const { sink, finish } = call([model], 2, controller.signal);
    await expect.poll(() => sink.notices.length).toBe(1);
    const reason = new Error('cancelled');
    controller.abort(reason);

    await expect(finish).rejects.toBe(reason);
    expect(model.calls).toBe(1);
  });
});

describe('the next model of a list', () => {
  test.each(['again', 'elsewhere'] as const)('answers after a failure that says %s', async (remedy) => {
    const [first, second] = [acting('a:one', fails(remedy)), acting('b:two', says('Hi'))];
    const { sink, finish } = call([first, second], 1);

    await expect(finish).resolves.toEqual({ ...FINISH, model: 'b:two' });
    expect(sink.said).toBe('Hi');
    expect(first.calls).toBe(remedy === 'again' ? 2 : 1);
    expect(sink.notices.at(-1)).toBe('a:one does not answer; asking b:two instead');
  });

  test('answers at once when the one before asks for a long rest', async () => {
    const first = acting('a:one', fails('again', 3600));

    await expect(call([first, acting('b:two', says('Hi'))]).finish).resolves.toMatchObject({
      model: 'b:two',
    });
    expect(first.calls).toBe(1);
  });

  test.each<[string, Act]>([
    ['no model can mend', fails('nothing')],
    ['is no failure of a model', () => Promise.reject(new ApiError('BUDGET_EXCEEDED'))],
    ['nobody expected', () => Promise.reject(new Error('a bug'))],
  ])('is not asked after what %s', async (_what, act) => {
    const second = acting('b:two', says('Hi'));

    await expect(call([acting('a:one', act), second]).finish).rejects.toThrow();
    expect(second.calls).toBe(0);
  });

  test('is not asked when the call was stopped', async () => {
    const controller = new AbortController();
    const second = acting('b:two', says('Hi'));
    const stopping: Act = () => {
      controller.abort(new Error('cancelled'));
      throw controller.signal.reason;
    };

    await expect(call([acting('a:one', stopping), second], 2, controller.signal).finish).rejects.toThrow(
      'cancelled',
    );
    expect(second.calls).toBe(0);
  });

  test('has a next one itself, and the last failure is what is told', async () => {
    const models = [
      acting('a:one', fails('elsewhere')),
      acting('b:two', fails('again')),
      acting('c:three', fails('elsewhere')),
    ];

    await expect(call(models, 0).finish).rejects.toThrow('failed: elsewhere');
    expect(models.map(({ calls }) => calls)).toEqual([1, 1, 1]);
  });
});

test.each<[string, (sink: ModelSink) => void]>([
  ['text', (sink) => sink.text('Hel')],
  ['reasoning', (sink) => sink.reasoning('Hm')],
  ['a tool call', (sink) => sink.toolCall({ toolCallId: '1', toolName: 'x', arguments: {} })],
  ['metadata', (sink) => sink.metadata('reasoning', { a: {} })],
])('once there was %s, a failure is final: what was said cannot be unsaid', async (_what, put) => {
  const dropping: Act = (sink) => {
    put(sink);
    throw new ModelError('dropped', { remedy: 'again' });
  };
  const [first, second] = [acting('a:one', dropping), acting('b:two', says('Hi'))];

  await expect(call([first, second]).finish).rejects.toThrow('dropped');
  expect([first.calls, second.calls]).toEqual([1, 0]);
});

test('a list is called by the name of its first model', () => {
  expect(resilientModel([acting('a:one'), acting('b:two')], { retries: 0 }).id).toBe('a:one');
});
