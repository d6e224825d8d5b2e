import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ModelServer, startModelServer } from '../../../../tests/helpers/model-server.ts';
import { aiSdkProvider } from '../../src/models/ai-sdk.ts';
import { openAICompatibleAiSdk } from '../../src/models/openai-compatible-ai-sdk.ts';
import { MODEL_TIMEOUTS } from '../../src/models/stall-timer.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { failure, modelContract, SECRET } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';
import { wireSubject } from './wire-subject.ts';

let server: ModelServer;

beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

modelContract(
  wireSubject(
    'openai-compatible through the AI SDK',
    () => server,
    () => openAICompatibleAiSdk({ baseURL: server.baseUrl, apiKey: SECRET }).model('some-model'),
  ),
);

const never = () => new AbortController().signal;
const HELLO: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] };

/** A model of the SDK as somebody else may write it. */
function handmade(doStream: LanguageModelV4['doStream']) {
  const model = { specificationVersion: 'v4', provider: 'own', modelId: 'm', supportedUrls: {}, doStream };
  return aiSdkProvider({ name: 'own', model: () => model as unknown as LanguageModelV4 }).model('m');
}

function streamOf(...parts: LanguageModelV4StreamPart[]) {
  return { stream: ReadableStream.from(parts) as ReadableStream<LanguageModelV4StreamPart> };
}

const FINISH = {
  type: 'finish',
  finishReason: { unified: 'stop', raw: 'stop' },
  usage: {
    inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: undefined, text: undefined, reasoning: undefined },
  },
} as const satisfies LanguageModelV4StreamPart;

describe('a model of the AI SDK', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('gets the conversation in its own words', async () => {
    let options: LanguageModelV4CallOptions | undefined;
    const model = handmade(async (given) => {
      options = given;
      return streamOf({ ...FINISH });
    });
    const request: ModelRequest = {
      system: 'Be brief',
      messages: [
        {
          role: 'user',
          parts: [
            { type: 'text', text: 'Look' },
            { type: 'file', mime_type: 'image/png', data: 'AAAA' },
            { type: 'file', mime_type: 'image/png', url: 'https://example.com/a.png', name: 'a.png' },
          ],
        },
        {
          role: 'assistant',
          parts: [
            { type: 'reasoning', text: 'Hm' },
            { type: 'tool_call', tool_call_id: 'c1', tool_name: 'add', arguments: { a: 1 } },
            { type: 'tool_call', tool_call_id: 'c2', tool_name: 'add', arguments: {} },
          ],
        },
        {
          role: 'tool',
          parts: [
            {
              type: 'tool_result',
              tool_call_id: 'c1',
              tool_name: 'add',
              result: { sum: 2 },
              is_error: false,
            },
            { type: 'tool_result', tool_call_id: 'c2', tool_name: 'add', result: 'no', is_error: true },
          ],
        },
      ],
      tools: [{ name: 'add', description: 'Adds', parameters: { type: 'object', properties: {} } }],
      temperature: 0.5,
      topP: 0.9,
      maxOutputTokens: 7,
      stopSequences: ['END'],
    };

    await model.stream(request, new RecordingSink(), never());

    expect(options).toMatchObject({
      temperature: 0.5,
      topP: 0.9,
      maxOutputTokens: 7,
      stopSequences: ['END'],
    });
    expect(options?.tools).toEqual([
      { type: 'function', name: 'add', description: 'Adds', inputSchema: { type: 'object', properties: {} } },
    ]);
    expect(options?.prompt).toEqual([
      { role: 'system', content: 'Be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AAAA' } },
          {
            type: 'file',
            mediaType: 'image/png',
            data: { type: 'url', url: new URL('https://example.com/a.png') },
            filename: 'a.png',
          },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'tool-call', toolCallId: 'c1', toolName: 'add', input: { a: 1 } },
          { type: 'tool-call', toolCallId: 'c2', toolName: 'add', input: {} },
        ],
      },
      {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            toolCallId: 'c1',
            toolName: 'add',
            output: { type: 'json', value: { sum: 2 } },
          },
          {
            type: 'tool-result',
            toolCallId: 'c2',
            toolName: 'add',
            output: { type: 'error-text', value: 'no' },
          },
        ],
      },
    ]);
  });

  test('may leave the usage out, and run tools of its own', async () => {
    const model = handmade(async () =>
      streamOf(
        { type: 'tool-call', toolCallId: 'c', toolName: 'search', input: '{}', providerExecuted: true },
        { type: 'text-delta', id: 't', delta: 'Hello' },
        { ...FINISH },
      ),
    );
    const sink = new RecordingSink();

    const finish = await model.stream(HELLO, sink, never());

    expect(sink.calls).toEqual([['text', 'Hello']]);
    expect(finish).toEqual({ finishReason: 'stop', usage: null });
  });

  test.each(['interrupted', 'error'] as const)('that finishes with %s has failed', async (unified) => {
    const model = handmade(async () => streamOf({ ...FINISH, finishReason: { unified, raw: undefined } }));

    await failure(model, HELLO);
  });

  test('that ignores its signal is left behind', async () => {
    const abort = new AbortController();
    const reason = new Error('stop');
    const deaf = handmade(() => new Promise(() => undefined));
    const cancelled = Promise.withResolvers<void>();
    const silent = handmade(async () => ({
      stream: new ReadableStream({ cancel: () => cancelled.resolve() }) as never,
    }));

    const finished = [deaf, silent].map((model) => model.stream(HELLO, new RecordingSink(), abort.signal));
    abort.abort(reason);

    for (const one of finished) await expect(one).rejects.toBe(reason);
    await cancelled.promise;
  });

  test('that says nothing more has failed', async () => {
    const model = handmade(async () => ({
      stream: new ReadableStream({
        start: (controller) => controller.enqueue({ type: 'text-delta', id: 't', delta: 'Hel' }),
      }),
    }));
    const sink = new RecordingSink();
    const spoken = Promise.withResolvers<void>();
    sink.onCall = spoken.resolve;
    const finished = model.stream(HELLO, sink, never());
    await spoken.promise;

    vi.advanceTimersByTime(MODEL_TIMEOUTS.betweenChunks);

    await expect(finished).rejects.toThrow('The model provider sent nothing for 60 s');
  });

  test('that says nothing has failed', async () => {
    const failed = failure(
      handmade(() => new Promise(() => undefined)),
      HELLO,
    );

    vi.advanceTimersByTime(MODEL_TIMEOUTS.firstToken);

    expect((await failed).message).toBe('The model provider sent nothing for 120 s');
  });

  test('that throws something else has failed, and can be asked again', async () => {
    let calls = 0;
    const model = aiSdkProvider({
      name: 'own',
      model: () => {
        if (calls++ === 0) throw new Error(`no package, says ${SECRET}`);
        return { doStream: async () => streamOf({ ...FINISH }) } as unknown as LanguageModelV4;
      },
    }).model('m');

    const error = await failure(model, HELLO);
    const finish = await model.stream(HELLO, new RecordingSink(), never());

    expect(error.message).toMatch(/no package/);
    expect(finish.finishReason).toBe('stop');
  });
});
