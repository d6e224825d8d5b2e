import { ApiError } from '@llmgine/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { startAnthropicServer } from '../../../../tests/helpers/anthropic-server.ts';
import { type ModelServer, startModelServer } from '../../../../tests/helpers/model-server.ts';
import { APIConfig, ConfigError, type ConfigInput } from '../../src/config.ts';
import { createModels, type Models } from '../../src/models/registry.ts';
import type { Model, ModelProvider } from '../../src/models/types.ts';
import { RecordingSink } from './recording-sink.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function models(
  env: Record<string, string> = {},
  overrides: Partial<ConfigInput> = {},
  providers?: ModelProvider[],
): Models {
  const made = createModels({
    config: new APIConfig(overrides, { env }),
    ...(providers ? { providers } : {}),
  });
  open.push(made);
  return made;
}

const OWN: ModelProvider = { name: 'own', model: (name) => ({ id: `own:${name}` }) as Model };

describe('the default model', () => {
  test.each([
    [{}, 'demo', /OPENAI_API_KEY/],
    [{ OPENAI_API_KEY: 'sk-test' }, 'openai:gpt-5.4-mini', undefined],
    [{ ANTHROPIC_API_KEY: 'sk-test' }, 'anthropic:claude-sonnet-5', undefined],
    [{ GOOGLE_GENERATIVE_AI_API_KEY: 'k' }, 'google:gemini-3.5-flash', undefined],
    [{ GOOGLE_GENERATIVE_AI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' }, 'anthropic:claude-sonnet-5', undefined],
    [{ MISTRAL_API_KEY: 'k' }, 'demo', /ANTHROPIC_API_KEY/],
    [{ OPENAI_BASE_URL: 'http://localhost:1/v1' }, 'demo', /OPENAI_BASE_URL is set.*LLMGINE_API_MODEL/],
    [{ OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: 'http://localhost:1/v1' }, 'demo', /LLMGINE_API_MODEL/],
    [{ OPENAI_API_KEY: 'sk-test', LLMGINE_API_MODEL: 'demo:slow' }, 'demo:slow', undefined],
  ])('with %j is %s', (env, expected, hint) => {
    const { defaultModel, hint: said, resolve } = models(env as Record<string, string>);

    expect(defaultModel).toBe(expected);
    if (hint === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(hint);
    expect(resolve().id).toBe(expected === 'demo' ? 'demo:demo' : expected);
  });
});

describe('a name', () => {
  test('splits at the first colon', () => {
    const { resolve } = models({ OPENAI_BASE_URL: 'http://localhost:1/v1' }, {}, [OWN]);

    expect(resolve('own:a:b/c').id).toBe('own:a:b/c');
    expect(resolve('openai-compatible:llama3:8b').id).toBe('openai-compatible:llama3:8b');
  });

  test.each([
    ['nobody:model', /There is no model provider "nobody"; there are: demo, openai, openai-compatible$/],
    ['', /There is no model provider ""/],
    ['openai-compatible', /Name the model/],
    ['openai-compatible:', /Name the model/],
    ['demo:gpt', /no such demo model/],
  ])('%j is refused', (name, message) => {
    const { resolve } = models({ OPENAI_API_KEY: 'sk-test' });

    expect(() => resolve(name)).toThrow(message);
    expect(() => resolve(name)).toThrow(ApiError);
  });

  test.each([
    ['openai:gpt-5', 'openai models need OPENAI_API_KEY'],
    ['openai-compatible:gpt-5', 'openai-compatible models need OPENAI_API_KEY, or OPENAI_BASE_URL'],
    ['anthropic:claude', 'anthropic models need ANTHROPIC_API_KEY'],
    ['google:gemini', 'google models need GOOGLE_GENERATIVE_AI_API_KEY'],
    ['demo, anthropic:claude', 'anthropic models need ANTHROPIC_API_KEY'],
  ])('of a provider without its key is refused, and the key is named: %s', (name, message) => {
    expect(() => models().resolve(name)).toThrow(message);
    expect(() => models().resolve(name)).toThrow(ApiError);
  });

  test('may be a list, which has the name of its first', () => {
    const { resolve } = models({ ANTHROPIC_API_KEY: 'k' });

    expect(resolve('anthropic:claude , demo').id).toBe('anthropic:claude');
  });
});

describe('providers', () => {
  test('can be added, also later, and replaced', () => {
    const made = models({}, {}, [OWN]);
    made.register({ name: 'later', model: (name) => ({ id: `later:${name}` }) as Model });
    made.register({ name: 'demo', model: () => ({ id: 'mine' }) as Model });

    expect(made.providers).toEqual(['demo', 'own', 'later']);
    expect(made.resolve('later:x').id).toBe('later:x');
    expect(made.resolve().id).toBe('mine');
  });

  test('are listed when they can be used', () => {
    const env = { OPENAI_API_KEY: 'k', GOOGLE_GENERATIVE_AI_API_KEY: 'k', OLLAMA_HOST: 'gpu:1234' };

    expect(models(env).providers).toEqual(['demo', 'openai', 'google', 'openai-compatible', 'ollama']);
  });

  test('a base URL that is none stops the start, without what is secret in it', () => {
    for (const value of ['me:hunter2@host', 'ftp://me:hunter2@host']) {
      expect(() => models({ OPENAI_BASE_URL: value })).toThrow(ConfigError);
      expect(() => models({ OPENAI_BASE_URL: value })).toThrow(/^OPENAI_BASE_URL is ((?!hunter2).)*$/);
    }
  });

  test('are reached at an address that holds a user, without it', async () => {
    const server = await startAnthropicServer();
    open.push(server);
    const env = {
      ANTHROPIC_API_KEY: 'sk-test-key',
      ANTHROPIC_BASE_URL: server.origin.replace('//', '//me:hunter2@'),
    };
    const sink = new RecordingSink();

    await models(env)
      .resolve()
      .stream(
        { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }] },
        sink,
        new AbortController().signal,
      );

    expect(sink.said).not.toBe('');
    expect(JSON.stringify(server.requests[0]?.headers)).not.toContain('hunter2');
  });
});

describe.each(['lean', 'ai-sdk'] as const)('the adapter %s', (modelAdapter) => {
  test('reaches the configured server, and limits tokens in its words', async () => {
    const server: ModelServer = await startModelServer();
    open.push(server);
    const made = models(
      {
        OPENAI_BASE_URL: server.baseUrl,
        OPENAI_API_KEY: 'sk-test-key',
        LLMGINE_API_MODEL: 'openai-compatible:llama3',
      },
      { modelAdapter },
    );
    const sink = new RecordingSink();

    await made
      .resolve()
      .stream(
        { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hello' }] }], maxOutputTokens: 9 },
        sink,
        new AbortController().signal,
      );

    expect(sink.said).toBe('Hello from the model server.');
    expect(server.requests[0]?.headers.authorization).toBe('Bearer sk-test-key');
    expect(server.requests[0]?.body).toMatchObject({ model: 'llama3', max_tokens: 9 });
  });
});
