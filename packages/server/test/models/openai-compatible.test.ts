import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ModelScript,
  type ModelServer,
  startModelServer,
} from '../../../../tests/helpers/model-server.ts';
import { type ClosableProvider, openAICompatible } from '../../src/models/openai-compatible.ts';
import { MODEL_TIMEOUTS } from '../../src/models/stall-timer.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { modelContract, SECRET } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';
import { wireSubject } from './wire-subject.ts';

let server: ModelServer;
let provider: ClosableProvider;

// The time of the tests stands still; sockets are real.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

beforeEach(async () => {
  server = await startModelServer();
  provider = openAICompatible({ baseURL: server.baseUrl, apiKey: SECRET });
});
afterEach(async () => {
  await provider.close();
  await server.close();
});

modelContract(
  wireSubject(
    'lean openai-compatible',
    () => server,
    () => provider.model('some-model'),
  ),
);

const HELLO: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] };
const never = () => new AbortController().signal;

async function run(script: ModelScript, request = HELLO) {
  server.script(script);
  const sink = new RecordingSink();
  const finish = await provider.model('some-model').stream(request, sink, never());
  return { sink, finish };
}

describe('the request', () => {
  test('is what the wire wants, and only what is set', async () => {
    const request: ModelRequest = {
      ...HELLO,
      system: 'Be brief',
      tools: [{ name: 'add', description: 'Adds', parameters: { type: 'object', properties: {} } }],
      temperature: 0.5,
      topP: 0.9,
      maxOutputTokens: 100,
      stopSequences: ['END'],
    };

    await run({}, request);
    await run({});

    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
    });
    expect(server.requests[0]?.body).toEqual({
      model: 'some-model',
      messages: [
        { role: 'system', content: 'Be brief' },
        { role: 'user', content: 'Hello' },
      ],
      stream: true,
      stream_options: { include_usage: true },
      tools: [
        {
          type: 'function',
          function: { name: 'add', description: 'Adds', parameters: { type: 'object', properties: {} } },
        },
      ],
      temperature: 0.5,
      top_p: 0.9,
      max_tokens: 100,
      stop: ['END'],
    });
    expect(Object.keys(server.requests[1]?.body ?? {})).toEqual([
      'model',
      'messages',
      'stream',
      'stream_options',
    ]);
  });

  test('has no authorization without a key, and keeps the query of the base URL', async () => {
    const keyless = openAICompatible({ baseURL: `${server.baseUrl}/?api-version=1` });

    await keyless.model('m').stream(HELLO, new RecordingSink(), never());

    expect(server.requests[0]?.headers.authorization).toBeUndefined();
    expect(server.requests[0]?.path).toBe('/v1/chat/completions?api-version=1');
    await keyless.close();
  });
});

describe('the answer', () => {
  test.each([1, 2, 3, 7, 64])('is the same in writes of %i bytes', async (cut) => {
    const text = 'Zwölf Boxkämpfer 😀 jagen\n\ndata: [DONE] \u2028 日本語 ';
    const calls = [{ name: 'calculate', arguments: { expression: '1 × 2 😀' } }];

    const { sink, finish } = await run({
      steps: [{ comment: 'ping' }, { text }, { reasoning: 'ß😀', field: 'reasoning' }, { toolCalls: calls }],
      cut,
    });

    expect(sink.said).toBe(text);
    expect(sink.reasoned).toBe('ß😀');
    expect(sink.toolCalls).toEqual([
      { toolCallId: 'call_1', toolName: 'calculate', arguments: { expression: '1 × 2 😀' } },
    ]);
    expect(finish).toEqual({
      finishReason: 'tool_calls',
      usage: { input_tokens: 10, output_tokens: 4, total_tokens: 14 },
    });
  });

  test.each([1, 1000])('may have CRLF line ends, in writes of %i bytes', async (cut) => {
    const { sink, finish } = await run({ steps: [{ text: 'Hel' }, { text: 'lo' }], eol: '\r\n', cut });

    expect(sink.calls).toEqual([
      ['text', 'Hel'],
      ['text', 'lo'],
    ]);
    expect(finish.finishReason).toBe('stop');
  });

  test('is read to the end however large it is', async () => {
    const line = 'x'.repeat(1000);

    const { sink } = await run({ steps: Array.from({ length: 500 }, () => ({ text: line })) });

    expect(sink.calls.length).toBe(500);
    expect(sink.said.length).toBe(500_000);
  });

  test('may be JSON although it was asked to stream', async () => {
    const { sink, finish } = await run({
      json: true,
      steps: [{ text: 'Hello' }, { toolCalls: [{ name: 'calculate', arguments: { expression: '1' } }] }],
    });

    expect(sink.calls).toEqual([
      ['text', 'Hello'],
      ['toolCall', { toolCallId: 'call_1', toolName: 'calculate', arguments: { expression: '1' } }],
    ]);
    expect(finish).toEqual({
      finishReason: 'tool_calls',
      usage: { input_tokens: 10, output_tokens: 2, total_tokens: 12 },
    });
  });

  test('is complete with a finish reason, without [DONE] and usage', async () => {
    const { finish } = await run({ steps: [{ text: 'Hello' }], done: false, usage: null });

    expect(finish).toEqual({ finishReason: 'stop', usage: null });
  });

  test('is complete with [DONE], without a finish reason', async () => {
    const { finish } = await run({ steps: [{ text: 'Hello' }, { raw: 'data: [DONE]\n\n' }], finish: null });

    expect(finish).toEqual({ finishReason: 'other', usage: null });
  });

  test('does not wait for a server that keeps the response open after [DONE]', async () => {
    const { finish } = await run({
      steps: [{ text: 'Hello' }, { raw: 'data: [DONE]\n\n' }, { gate: server.gate() }],
    });
    vi.advanceTimersByTime(MODEL_TIMEOUTS.afterEnd);

    expect(finish.finishReason).toBe('other');
    await server.requests[0]?.closed;
  });

  test.each([
    ['stop', 'stop'],
    ['length', 'length'],
    ['tool_calls', 'tool_calls'],
    ['function_call', 'tool_calls'],
    ['content_filter', 'content_filter'],
    ['something_new', 'other'],
    ['constructor', 'other'],
  ])('%s is %s', async (wire, ours) => {
    const { finish } = await run({ steps: [{ text: 'Hello' }], finish: wire });

    expect(finish.finishReason).toBe(ours);
  });

  test('keeps tool arguments that are no JSON as text', async () => {
    const { sink } = await run({
      steps: [{ toolCalls: [{ name: 'calculate', arguments: '{"expression": 1' }] }],
    });

    expect(sink.toolCalls[0]?.arguments).toBe('{"expression": 1');
  });

  test.each([
    [
      'parallel calls under one index',
      [
        [{ index: 0, id: 'a', function: { name: 'x', arguments: '{"n":1}' } }],
        [{ index: 0, id: 'b', function: { name: 'y', arguments: '{"n":2}' } }],
      ],
    ],
    [
      'calls without an index',
      [
        [{ id: 'a', function: { name: 'x', arguments: '{"n"' } }],
        [{ function: { arguments: ':1}' } }],
        [{ id: 'b', function: { name: 'y', arguments: '{"n":2}' } }],
      ],
    ],
    [
      'an id and a name that are said again with every fragment, arguments as an object',
      [
        [{ index: 0, id: 'a', function: { name: 'x', arguments: '{"n"' } }],
        [{ index: 0, id: 'a', function: { name: 'x', arguments: ':1}' } }],
        [{ index: 1, id: 'b', function: { name: 'y', arguments: { n: 2 } } }],
      ],
    ],
  ])('understands %s', async (_, deltas) => {
    const raw = deltas.map((tool_calls) => ({
      raw: `data: ${JSON.stringify({ choices: [{ delta: { tool_calls } }] })}\n\n`,
    }));

    const { sink, finish } = await run({ steps: raw });

    expect(sink.toolCalls).toEqual([
      { toolCallId: 'a', toolName: 'x', arguments: { n: 1 } },
      { toolCallId: 'b', toolName: 'y', arguments: { n: 2 } },
    ]);
    expect(finish.finishReason).toBe('tool_calls');
  });

  test('counts its calls, where it does, with texts', async () => {
    const tool_calls = [{ index: 0, id: 7, function: { name: 'x', arguments: '{}' } }];
    const raw = `data: ${JSON.stringify({ choices: [{ delta: { tool_calls } }] })}\n\n`;

    const { sink } = await run({ steps: [{ raw }] });

    expect(sink.toolCalls).toEqual([{ toolCallId: '7', toolName: 'x', arguments: {} }]);
  });

  test.each([
    ['more calls than anybody could answer', 1100, 'x', /more than 1000 tools/],
    ['names without an end', 20, 'x'.repeat(512 * 1024), /more than 8388608 characters of tool arguments/],
  ])('is not collected when it has %s', async (_, count, name, reason) => {
    const raw = Array.from({ length: count }, (_, index) => ({
      raw: `data: ${JSON.stringify({ choices: [{ delta: { tool_calls: [{ index, function: { name } }] } }] })}\n\n`,
    }));

    await expect(run({ steps: raw })).rejects.toThrow(reason);
  });

  test('replaces bytes that are no UTF-8', async () => {
    const raw = Buffer.concat([
      Buffer.from('data: {"choices":[{"delta":{"content":"a'),
      Buffer.from([0xff, 0xc3]),
      Buffer.from('b"}}]}\n\n'),
    ]);

    const { sink } = await run({ steps: [{ raw }] });

    expect(sink.said).toBe('a\ufffd\ufffdb');
  });
});

describe('what the server wants back', () => {
  test('is the name of its reasoning, put when that ends', async () => {
    const { sink } = await run({
      steps: [
        { reasoning: 'Hm' },
        { reasoning: '.' },
        { reasoning: 'So', field: 'reasoning' },
        { text: 'Yes' },
      ],
    });

    expect(sink.metadatas).toEqual([
      { kind: 'reasoning', metadata: { 'openai-compatible': { field: 'reasoning_content' } }, after: 2 },
      { kind: 'reasoning', metadata: { 'openai-compatible': { field: 'reasoning' } }, after: 3 },
    ]);
  });

  test('is put also when nothing or only a call comes of the reasoning', async () => {
    const steps = [{ reasoning: 'Hm' }];
    const toolCalls = [{ name: 'add', arguments: {}, extra: { extra_content: { google: { s: 1 } } } }];

    const alone = await run({ steps });
    const called = await run({ steps: [...steps, { toolCalls }] });

    for (const { sink } of [alone, called]) expect(sink.metadatas).toMatchObject([{ after: 1 }]);
    expect(called.sink.toolCalls[0]?.providerMetadata).toEqual({
      'openai-compatible': { extra_content: { google: { s: 1 } } },
    });
  });

  test('is said once when a server says its reasoning under both names', async () => {
    const both = { reasoning_content: 'Hm', reasoning: 'Hm' };
    const { sink } = await run({
      steps: [{ raw: `data: ${JSON.stringify({ choices: [{ delta: both }] })}\n\n` }, { text: 'Yes' }],
    });

    expect(sink.reasoned).toBe('Hm');
  });
});

describe('one chunk with several pieces', () => {
  const both = { raw: 'data: {"choices":[{"delta":{"reasoning_content":"Hm","content":"Yes"}}]}\n\n' };

  test('is put piece by piece', async () => {
    const { sink } = await run({ steps: [both] });

    expect(sink.calls).toEqual([
      ['reasoning', 'Hm'],
      ['text', 'Yes'],
    ]);
  });

  test('is not put to its end when it is aborted by the first', async () => {
    const abort = new AbortController();
    const reason = new Error('stop');
    const sink = new RecordingSink();
    sink.onCall = () => abort.abort(reason);
    server.script({ steps: [both] });

    await expect(provider.model('m').stream(HELLO, sink, abort.signal)).rejects.toBe(reason);

    expect(sink.calls).toEqual([['reasoning', 'Hm']]);
  });
});
