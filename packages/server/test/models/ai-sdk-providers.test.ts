import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startAnthropicServer } from '../../../../tests/helpers/anthropic-server.ts';
import { startGeminiServer } from '../../../../tests/helpers/gemini-server.ts';
import { type ModelServer, startModelServer } from '../../../../tests/helpers/model-server.ts';
import { anthropicProvider, googleProvider, openAIProvider } from '../../src/models/ai-sdk-providers.ts';
import { createModelFetch, type ModelFetch } from '../../src/models/model-fetch.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { modelContract, SECRET, type Subject } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';
import { wireSubject } from './wire-subject.ts';

interface Settings {
  readonly apiKey: string;
  readonly baseURL: string;
  readonly fetch: typeof globalThis.fetch;
}

function contractOf<Body>(
  name: string,
  start: () => Promise<ModelServer<Body>>,
  provider: (settings: Settings) => ReturnType<typeof openAIProvider>,
  skips: Subject['skips'] = {},
): void {
  describe(name, () => {
    let server: ModelServer<Body>;
    let connections: ModelFetch;

    beforeEach(async () => {
      server = await start();
      connections = createModelFetch(1000);
    });
    afterEach(async () => {
      await connections.close();
      await server.close();
    });

    modelContract(
      wireSubject(
        name,
        () => server,
        () => {
          const settings = { apiKey: SECRET, baseURL: server.baseUrl, fetch: connections.fetch };
          return provider(settings).model('some-model');
        },
        skips,
      ),
    );
  });
}

contractOf('openai', startModelServer, openAIProvider, {
  reasoning: "OpenAI's chat completions do not show it",
});
contractOf('anthropic', startAnthropicServer, anthropicProvider);
contractOf('google', startGeminiServer, googleProvider);

test.each([
  ['openai', startModelServer, openAIProvider],
  ['anthropic', startAnthropicServer, anthropicProvider],
  ['google', startGeminiServer, googleProvider],
] as const)('%s takes tools of every schema', async (_, start, provider) => {
  const server = await start();
  onTestFinished(() => server.close());
  const schemas = [
    { type: 'object' },
    { oneOf: [{ type: 'object', properties: { a: { type: 'string' } } }] },
  ];
  const tools = schemas.map((parameters, n) => ({ name: `tool_${n}`, description: 'Does it', parameters }));
  const model = provider({ apiKey: SECRET, baseURL: server.baseUrl, fetch }).model('some-model');
  const messages: ModelRequest['messages'] = [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }];

  await model.stream({ messages, tools }, new RecordingSink(), new AbortController().signal);

  expect(server.refusals).toEqual([]);
});

describe('after tools were called', () => {
  const tools = [{ name: 'add', description: 'Adds', parameters: { type: 'object', properties: {} } }];
  const messages: ModelRequest['messages'] = [
    { role: 'user', parts: [{ type: 'text', text: 'Hello' }] },
    { role: 'assistant', parts: [{ type: 'tool_call', tool_call_id: 'a', tool_name: 'add', arguments: {} }] },
    {
      role: 'tool',
      parts: [{ type: 'tool_result', tool_call_id: 'a', tool_name: 'add', result: 1, is_error: false }],
    },
  ];

  test.each<[string, Partial<ModelRequest>]>([
    ['none may be called any more', { tools, toolChoice: 'none' }],
    ['there are none any more', {}],
  ])('every provider answers when %s', async (_, more) => {
    const all = [
      [await startModelServer(), openAIProvider],
      [await startAnthropicServer(), anthropicProvider],
      [await startGeminiServer(), googleProvider],
    ] as const;
    for (const [server, provider] of all) {
      onTestFinished(() => server.close());
      const model = provider({ apiKey: SECRET, baseURL: server.baseUrl, fetch }).model('some-model');

      await model.stream({ messages, ...more }, new RecordingSink(), new AbortController().signal);

      expect(server.refusals).toEqual([]);
    }
  });
});

describe('settings on the wire', () => {
  const parameters = { type: 'object', properties: {} };
  const request: ModelRequest = {
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }],
    tools: [{ name: 'add', description: 'Adds', parameters }],
    reasoningEffort: 'low',
    maxOutputTokens: 4000,
  };
  const forced: ModelRequest = { ...request, toolChoice: 'required' };
  const { tools: _, ...toolless } = request;
  const formatted: ModelRequest = { ...toolless, responseFormat: { name: 'answer', schema: parameters } };

  async function bodies<Body>(
    start: () => Promise<ModelServer<Body>>,
    provider: (settings: Settings) => ReturnType<typeof openAIProvider>,
    model: string,
  ): Promise<Body[]> {
    const server = await start();
    onTestFinished(() => server.close());
    const made = provider({ apiKey: SECRET, baseURL: server.baseUrl, fetch }).model(model);
    for (const one of [request, forced, formatted]) {
      await made.stream(one, new RecordingSink(), new AbortController().signal);
    }
    expect(server.refusals).toEqual([]);
    return server.requests.map(({ body }) => body);
  }

  test('of OpenAI', async () => {
    const [plain, required, format] = await bodies(startModelServer, openAIProvider, 'gpt-5-mini');

    expect(plain).toMatchObject({ reasoning_effort: 'low', max_completion_tokens: 4000 });
    expect(required).toMatchObject({ tool_choice: 'required' });
    expect(format?.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', strict: false, schema: expect.objectContaining(parameters) },
    });
  });

  test('of Anthropic, which does not reason when it has to call a tool', async () => {
    const [plain, required, format] = await bodies(
      startAnthropicServer,
      anthropicProvider,
      'claude-sonnet-4-5',
    );

    expect(plain).toMatchObject({ thinking: { type: 'enabled' } });
    expect(required).toMatchObject({ tool_choice: { type: 'any' } });
    expect(required).not.toHaveProperty('thinking');
    expect(JSON.stringify(format)).toContain('json_schema');
  });

  test('of Google', async () => {
    const [plain, required, format] = await bodies(startGeminiServer, googleProvider, 'gemini-3.5-flash');

    expect(plain).toMatchObject({
      generationConfig: {
        maxOutputTokens: 4000,
        thinkingConfig: { includeThoughts: true, thinkingLevel: 'low' },
      },
    });
    expect(required).toMatchObject({ toolConfig: { functionCallingConfig: { mode: 'ANY' } } });
    expect(format).toMatchObject({ generationConfig: { responseMimeType: 'application/json' } });
  });
});
