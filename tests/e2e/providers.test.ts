/** Conversations through each provider, configured by its environment variables alone, before servers of their real wires. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { type AnthropicBody, startAnthropicServer } from '../helpers/anthropic-server.ts';
import { type StartOptions, startApp } from '../helpers/app.ts';
import { type GeminiBody, startGeminiServer } from '../helpers/gemini-server.ts';
import {
  type ChatBody,
  type Gate,
  type ModelScript,
  type ModelServer,
  type Step,
  startModelServer,
} from '../helpers/model-server.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';
import { ANSWERING, ASKING, anthropicEnv, chatEnv, googleEnv, KEY, MODELS } from './provider-turns.ts';

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
interface Wire<Body> {
  readonly start: () => Promise<ModelServer<Body>>;
  readonly env: (server: ModelServer<Body>) => Record<string, string>;
  readonly model: string;
  /** Where the provider finds its key. */
  readonly keyOf?: (headers: Record<string, unknown>) => unknown;
  /** What of the reasoning went back, in a request. */
  readonly reasoningIn: (body: Body) => unknown[];
  readonly resultsIn: (body: Body) => unknown[];
  readonly imagesIn: (body: Body) => unknown[];
  /** The JSON Schema that the answer has to fit. */
  readonly schemaIn: (body: Body) => unknown;
  /** What goes back within the loop of tools, and in the next turn. */
  readonly inLoop: unknown[];
  readonly nextTurn: unknown[];
}

const chat: Omit<Wire<ChatBody>, 'env' | 'model'> = {
  start: startModelServer,
  keyOf: ({ authorization }) => authorization,
  reasoningIn: ({ messages }) =>
    messages.flatMap(({ reasoning_content }) => (reasoning_content ? [reasoning_content] : [])),
  resultsIn: ({ messages }) =>
    messages.filter(({ role }) => role === 'tool').map(({ tool_call_id }) => tool_call_id),
  imagesIn: ({ messages }) =>
    messages
      .flatMap(({ content }) => (Array.isArray(content) ? content : []))
      .flatMap(({ image_url }) => (image_url ? [image_url.url.split(',')[1]] : [])),
  schemaIn: (body) => (body.response_format as ResponseFormat | undefined)?.json_schema.schema,
  inLoop: ['I need two tools.'],
  nextTurn: [],
};

type ResponseFormat = { readonly json_schema: { readonly schema: unknown } };

const anthropic: Wire<AnthropicBody> = {
  start: startAnthropicServer,
  env: anthropicEnv,
  model: MODELS.anthropic,
  keyOf: (headers) => headers['x-api-key'],
  reasoningIn: (body) => blocks(body).filter(({ type }) => type === 'thinking'),
  resultsIn: (body) => blocks(body).filter(({ type }) => type === 'tool_result'),
  imagesIn: (body) =>
    blocks(body).flatMap(({ source }) => (source ? [(source as { data: string }).data] : [])),
  schemaIn: (body) => (body.output_config as { format: { schema: unknown } } | undefined)?.format.schema,
  inLoop: [{ type: 'thinking', thinking: 'I need two tools.', signature: 'c2lnbmVk' }],
  nextTurn: [{ type: 'thinking', thinking: 'I need two tools.', signature: 'c2lnbmVk' }],
};

const google: Wire<GeminiBody> = {
  start: startGeminiServer,
  env: googleEnv,
  model: MODELS.google,
  keyOf: (headers) => headers['x-goog-api-key'],
  reasoningIn: (body) =>
    parts(body).flatMap(({ thoughtSignature }) => (thoughtSignature ? [thoughtSignature] : [])),
  resultsIn: (body) => parts(body).filter(({ functionResponse }) => functionResponse),
  imagesIn: (body) =>
    parts(body).flatMap(({ inlineData }) => (inlineData ? [(inlineData as { data: string }).data] : [])),
  schemaIn: (body) =>
    (body.generationConfig as { responseJsonSchema?: unknown } | undefined)?.responseJsonSchema,
  inLoop: ['c2lnbmVk', 'Y2FsbA=='],
  nextTurn: ['c2lnbmVk', 'Y2FsbA=='],
};

function blocks({ messages }: AnthropicBody) {
  return messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content));
}

function parts({ contents }: GeminiBody) {
  return contents.flatMap((content) => content.parts);
}

function contract<Body>(name: string, wire: Wire<Body>): void {
  describe(`the provider ${name}`, () => {
    const start = async (options: StartOptions = {}) => {
      const models = await wire.start();
      onTestFinished(() => models.close());
      const env = { ...wire.env(models), LLMGINE_API_MODEL: wire.model, ...options.env };
      const app = await startApp({ ...options, config: { model: undefined, ...options.config }, env });
      const id = await app.createSession({
        engine_type: 'ToolChatEngine',
        engine_config: { reasoning_effort: 'low', max_output_tokens: 4000 },
      });
      return { ...app, id, models, socket: await TestSocket.open(app.wsUrl(id)) };
    };

    test('calls tools in parallel, and gets back what it wants back, in this turn and the next', async () => {
      const { models, socket, url, id } = await start();
      models.script(ASKING, ANSWERING, ANSWERING);

      const first = await socket.run('prompt', { prompt: 'What is 6 * 7, and what time is it?' });
      const second = await socket.run('prompt', { prompt: 'Thank you.' });

      expect(models.refusals).toEqual([]);
      expect(first).toMatchObject({ status: 'completed', result: { text: 'It is 42.' }, error: null });
      expect(second).toMatchObject({ status: 'completed' });
      const [, inLoop, nextTurn] = models.requests.map(({ body }) => body);
      expect(wire.resultsIn(inLoop as Body)).toHaveLength(2);
      expect(wire.reasoningIn(inLoop as Body)).toEqual(wire.inLoop);
      expect(wire.reasoningIn(nextTurn as Body)).toEqual(wire.nextTurn);
      const { messages } = (await call('GET', `${url}/api/sessions/${id}/messages`)).body;
      expect(messages.map(({ role }: { role: string }) => role)).toEqual([
        'user',
        'assistant',
        'tool',
        'assistant',
        'user',
        'assistant',
      ]);
      const { parts } = messages[1];
      expect(parts.find(({ type }: { type: string }) => type === 'text').text).toBe('Let me see.');
      expect(parts.filter(({ type }: { type: string }) => type === 'tool_call')).toHaveLength(2);
    });

    test('says in the result of a command what was used', async () => {
      const { models, socket } = await start();
      models.script(ASKING, ANSWERING);

      const { usage } = await socket.run('prompt', { prompt: 'What is 6 * 7, and what time is it?' });

      expect(usage).toMatchObject({
        input_tokens: 200,
        output_tokens: 80,
        total_tokens: 280,
        cached_input_tokens: 120,
        reasoning_tokens: 50,
      });
    });

    test('sees an image, and hears of a file that it cannot read', async () => {
      const { models, socket } = await start();
      models.script(ANSWERING);

      const { status } = await socket.run('prompt', {
        prompt: 'What is this?',
        attachments: [
          { mime_type: 'image/png', data: PNG },
          { mime_type: 'application/zip', name: 'a.zip', data: 'UEsDBA==' },
        ],
      });

      expect(models.refusals).toEqual([]);
      expect(status).toBe('completed');
      expect(wire.imagesIn(models.requests[0]?.body as Body)).toEqual([PNG]);
      expect(JSON.stringify(models.requests[0]?.body)).toContain('cannot be shown to this model');
    });

    test('is asked for JSON of a schema in its own words, and once more when the answer does not fit', async () => {
      const { models, url, id, socket } = await start();
      const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
      await call('PUT', `${url}/api/sessions/${id}/engine`, {
        engine_type: 'SinglePassEngine',
        engine_config: { response_schema: schema },
      });
      models.script({ steps: [{ text: '{"name": 7}' }] }, { steps: [{ text: '{"name": "Ada"}' }] });

      const { status, result, error } = await socket.run('prompt', { prompt: 'Who was first?' });

      expect(models.refusals).toEqual([]);
      expect({ status, error }).toEqual({ status: 'completed', error: null });
      expect(result.value).toEqual({ name: 'Ada' });
      expect(models.requests).toHaveLength(2);
      expect(wire.schemaIn(models.requests[0]?.body as Body)).toMatchObject({
        properties: schema.properties,
      });
    });

    test('may refuse to answer, and the conversation goes on', async () => {
      const { models, socket } = await start();
      models.script({ steps: [{ refusal: 'I must not.' }] }, ANSWERING);

      const refused = await socket.run('prompt', { prompt: 'Do something bad.' });
      const next = await socket.run('prompt', { prompt: 'Then something good.' });

      expect(refused).toMatchObject({
        status: 'completed',
        result: { text: 'I must not.', finish_reason: 'content_filter' },
      });
      expect(next).toMatchObject({ status: 'completed', result: { text: 'It is 42.' } });
      expect(models.refusals).toEqual([]);
    });

    test('is given its key, which nobody else sees', async () => {
      const { models, socket, url } = await start({ config: { modelRetries: 0 } });
      models.script(ANSWERING, { status: 401, error: { message: `Wrong key: ${KEY}` } });

      await socket.run('prompt', { prompt: 'Hi' });
      const { error } = await socket.run('prompt', { prompt: 'Hi' });

      const [request] = models.requests;
      if (wire.keyOf) expect(wire.keyOf(request?.headers ?? {})).toMatch(new RegExp(`${KEY}$`));
      expect(error).toMatchObject({
        code: 'MODEL_ERROR',
        message: expect.stringContaining('401: Wrong key'),
      });
      const info = (await call('GET', `${url}/api/info`)).body;
      expect(JSON.stringify([socket.frames, info])).not.toContain(KEY);
    });

    test('is told at once when a run is cancelled', async () => {
      const { models, socket, url, id } = await start();
      const gate = models.gate();
      models.script({ steps: [{ text: 'Hel' }, { gate }, { text: 'lo' }] });
      const run = socket.run('prompt', { prompt: 'Hi' });
      await gate.reached;
      const started = await socket.findEvent('text_delta');

      await call('POST', `${url}/api/sessions/${id}/runs/${started.data.run_id}/cancel`);

      await models.requests[0]?.closed;
      expect(await run).toMatchObject({ status: 'cancelled' });
    });

    test.each<[string, (gate: Gate) => ModelScript]>([
      ['before its headers', (headersGate) => ({ headersGate })],
      ['before its first token', (gate) => ({ steps: [{ gate }] })],
      ['in the middle', (gate) => ({ steps: [{ text: 'Hel' }, { gate }] })],
    ])('that is silent %s fails the run after the configured time', async (_, script) => {
      const config = { modelFirstTokenTimeout: 0.3, modelTokenTimeout: 0.3 };
      const { models, socket } = await start({ config });
      models.script(script(models.gate()));

      const { error } = await socket.run('prompt', { prompt: 'Hi' });

      expect(error).toEqual({ code: 'MODEL_ERROR', message: 'The model provider sent nothing for 0.3 s' });
      await models.requests[0]?.closed;
    });

    test('that is overloaded before it has said anything is asked again', async () => {
      const { models, socket } = await start({ config: { modelRetries: 1 } });
      const overloaded = {
        message: 'Overloaded',
        type: 'overloaded_error',
        code: 503,
        status: 'UNAVAILABLE',
      };
      models.script({ steps: [{ error: overloaded }] }, ANSWERING);

      const result = await socket.run('prompt', { prompt: 'Hi' });

      expect(result).toMatchObject({ status: 'completed', result: { text: 'It is 42.' } });
      expect(models.requests).toHaveLength(2);
    });
  });
}

contract('openai-compatible', {
  ...chat,
  env: chatEnv,
  model: MODELS['openai-compatible'],
});
contract('openai', {
  ...chat,
  env: chatEnv,
  model: MODELS.openai,
  // Its chat completions do not show any.
  inLoop: [],
});
const { keyOf: _, ...keyless } = chat;
contract('ollama', {
  ...keyless,
  env: ({ origin }) => ({ OLLAMA_HOST: origin.replace('http://', '') }),
  model: 'ollama:qwen3:8b',
});
contract('anthropic', anthropic);
contract('google', google);

test('Anthropic gets every block of its reasoning back, also what it keeps to itself, in its order', async () => {
  const models = await startAnthropicServer();
  onTestFinished(() => models.close());
  const { wsUrl, createSession } = await startApp({
    config: { model: anthropic.model },
    env: anthropic.env(models),
  });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  const steps: Step[] = [
    { reasoning: 'First.', signature: 'c2lnMQ==' },
    { redacted: 'cmVkYWN0ZWQ=' },
    { reasoning: 'Then.', signature: 'c2lnMg==' },
    { text: 'Let me see.' },
    { toolCalls: [{ id: 'toolu_x', name: 'calculate', arguments: { expression: '1' } }] },
  ];
  models.script({ steps }, ANSWERING);

  const { status } = await socket.run('prompt', { prompt: 'Hi' });

  expect(status).toBe('completed');
  expect(models.requests[1]?.body.messages[1]?.content).toEqual([
    { type: 'thinking', thinking: 'First.', signature: 'c2lnMQ==' },
    { type: 'redacted_thinking', data: 'cmVkYWN0ZWQ=' },
    { type: 'thinking', thinking: 'Then.', signature: 'c2lnMg==' },
    { type: 'text', text: 'Let me see.' },
    { type: 'tool_use', id: 'toolu_x', name: 'calculate', input: { expression: '1' } },
  ]);
  // People who watch see what was said, and nothing for what was not.
  const reasoned = socket.events.filter(({ event_type }) => event_type === 'reasoning_delta');
  expect(reasoned.map(({ payload }) => payload.text).join('')).toBe('First.Then.');
});

test('an Ollama that runs answers when nothing else is configured', async () => {
  const models = await startModelServer();
  onTestFinished(() => models.close());
  models.ollamaModels = ['nomic-embed-text:latest', 'qwen3:8b'];
  const env = { OLLAMA_HOST: models.origin };
  const { url, wsUrl, createSession, app } = await startApp({ config: { model: undefined }, env });
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));

  expect(await socket.run('prompt', { prompt: 'Hi' })).toMatchObject({ status: 'completed' });

  expect(models.requests[0]?.body.model).toBe('qwen3:8b');
  expect((await call('GET', `${url}/api/info`)).body).toMatchObject({
    model: 'ollama:qwen3:8b',
    model_providers: ['demo', 'ollama'],
  });
  expect(app.describe().model.id).toBe('ollama:qwen3:8b');
});

test('the demo answers when nothing is configured and nothing runs', async () => {
  const env = { OLLAMA_HOST: '127.0.0.1:9' };
  const { url } = await startApp({ config: { model: undefined }, env });

  expect((await call('GET', `${url}/api/info`)).body.model).toBe('demo:demo');
});
