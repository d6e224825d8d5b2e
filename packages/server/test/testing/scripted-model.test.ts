import { ApiError } from '@llmgine/api';
import { Gate, type ScriptedTurn, scriptedModel } from '@llmgine/api/testing';
import { describe, expect, test } from 'vitest';
import { modelError } from '../../src/models/model-error.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { failure, modelContract } from '../models/contract.ts';
import { RecordingSink } from '../models/recording-sink.ts';

const never = () => new AbortController().signal;
const HELLO: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] };
const PIECES = Array.from({ length: 30 }, (_, n) => `piece ${n} `);

const scene = (...turns: ScriptedTurn[]) => ({ model: scriptedModel(turns).model('x'), request: HELLO });
const textScene = () => ({ scene: scene({ text: PIECES }), text: PIECES.join('') });

const OWN = 'a script has no wire';
modelContract({
  name: 'scripted',
  reasoning: () => ({
    scene: scene({ reasoning: ['I ', 'see'], text: 'Hi' }),
    reasoned: 'I see',
    next: 'text',
  }),
  text: textScene,
  burst: textScene,
  tools: () => ({
    scene: scene({ toolCalls: [{ name: 'a', arguments: { x: 1 } }, { name: 'b' }] }),
    calls: [
      { name: 'a', arguments: { x: 1 } },
      { name: 'b', arguments: {} },
    ],
  }),
  cut: () => scene({ text: 'one two three', finishReason: 'length' }),
  usage: () => ({
    scene: scene({ text: 'Hi', usage: { input_tokens: 3, output_tokens: 2 } }),
    usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
  }),
  refusing: () => scene({ text: 'I must not.', finishReason: 'content_filter' }),
  overloaded: () => scene({ error: modelError('the reason', { remedy: 'again' }) }),
  held: () => scene({ text: 'Hi', after: new Gate() }),
  silent: () => scene({ before: new Gate(), text: 'Hi' }),
  failing: () => scene({ error: '' }),
  failingMidway: () => scene({ text: 'Hi', error: modelError('the reason') }),
  dropping: () => scene(),
  ending: () => scene(),
  garbled: () => scene(),
  skips: { closed: OWN, failing: OWN, dropping: OWN, ending: OWN, garbled: OWN },
});

describe('a scripted model', () => {
  test('gives each request the next answer, and remembers the request as it was', async () => {
    const models = scriptedModel(['One', (request) => `Two of ${request.messages.length}`]);
    const messages = [...HELLO.messages];
    const sink = new RecordingSink();

    await models.model('a').stream({ messages }, sink, never());
    messages.push({ role: 'assistant', parts: [{ type: 'text', text: 'One' }] });
    await models.model('').stream({ messages, system: 'Be brief' }, sink, never());

    expect(sink.said).toBe('OneTwo of 2');
    expect(models.requests).toEqual([
      { model: 'scripted:a', messages: HELLO.messages },
      { model: 'scripted:model', system: 'Be brief', messages },
    ]);
    expect(models.left).toBe(0);
  });

  test('says what it was asked when the script is over, and goes on when there is more', async () => {
    const models = scriptedModel();

    const error = await failure(models.model('x'), HELLO);
    models.add('Hi');
    const sink = new RecordingSink();
    await models.model('x').stream(HELLO, sink, never());

    expect(error.message).toBe('The script has no answer for request 1, which ends with "Hello"');
    expect(sink.said).toBe('Hi');
  });

  test('fails with exactly the error of the script, after what it says', async () => {
    const limited = new ApiError('MODEL_ERROR', 'slow down', { retryAfter: 2 });
    const sink = new RecordingSink();

    const failed = scriptedModel([{ text: 'Hal', error: limited }])
      .model('x')
      .stream(HELLO, sink, never());

    await expect(failed).rejects.toBe(limited);
    expect(sink.said).toBe('Hal');
  });

  test('stands at a gate until it is opened', async () => {
    const gate = new Gate();
    const sink = new RecordingSink();
    const finished = scriptedModel([{ text: 'Hi', after: gate }])
      .model('x')
      .stream(HELLO, sink, never());

    await gate.reached;
    const saidBefore = sink.said;
    gate.open();

    await expect(finished).resolves.toEqual({ finishReason: 'stop', usage: null });
    expect(saidBefore).toBe('Hi');
  });

  test('calls have ids of their own over all answers', async () => {
    const models = scriptedModel([
      { toolCalls: [{ name: 'a' }, { name: 'b', id: 'mine' }] },
      { toolCalls: [{ name: 'a' }] },
    ]);
    const sink = new RecordingSink();

    await models.model('x').stream(HELLO, sink, never());
    await models.model('x').stream(HELLO, sink, never());

    expect(sink.toolCalls.map((call) => call.toolCallId)).toEqual(['call_1', 'mine', 'call_2']);
  });
});
