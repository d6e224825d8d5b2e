import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type ModelServer, startModelServer } from '../../../../tests/helpers/model-server.ts';
import { APIConfig, ConfigError } from '../../src/config.ts';
import { findLocalModel, ollamaOrigin } from '../../src/models/local-model.ts';
import { createModels, type Models } from '../../src/models/registry.ts';
import { modelContract } from './contract.ts';
import { wireSubject } from './wire-subject.ts';

async function startOllama(names?: readonly string[]) {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  server.ollamaModels = names;
  const config = new APIConfig({}, { env: { OLLAMA_HOST: server.origin } });
  return { server, config };
}

test.each([
  [undefined, 'http://localhost:11434'],
  ['0.0.0.0:11434', 'http://127.0.0.1:11434'],
  ['0.0.0.0', 'http://127.0.0.1:11434'],
  ['gpu', 'http://gpu:11434'],
  ['gpu:8080', 'http://gpu:8080'],
  [':8080', 'http://localhost:8080'],
  ['[::]:11434', 'http://[::1]:11434'],
  ['http://gpu:11434/', 'http://gpu:11434'],
  ['https://ollama.example.com', 'https://ollama.example.com'],
  ['https://example.com/ollama/', 'https://example.com/ollama'],
])('OLLAMA_HOST %j is %s', (host, origin) => {
  expect(ollamaOrigin(host)).toBe(origin);
});

test('an OLLAMA_HOST that is no address stops the start', () => {
  expect(() => ollamaOrigin('ftp://gpu')).toThrow(ConfigError);
  expect(() => ollamaOrigin('no host')).toThrow(/^OLLAMA_HOST is "no host", but must be/);
  expect(() => ollamaOrigin('me:hunter2@no host')).toThrow(
    /^OLLAMA_HOST is "\(hidden\)@no host", but must be/,
  );
  expect(ollamaOrigin('http://me:hunter2@gpu')).toBe('http://gpu');
});

describe('a model on this machine', () => {
  test('is the first one for conversations', async () => {
    const { config } = await startOllama(['nomic-embed-text:latest', 'qwen3:8b', 'llama3']);

    expect(await findLocalModel(config)).toBe('ollama:qwen3:8b');
  });

  test.each([[[]], [['bge-m3']], [undefined]])('is none where Ollama has %j', async (names) => {
    const { config } = await startOllama(names);

    expect(await findLocalModel(config)).toBeUndefined();
  });

  test('is none where nobody listens', async () => {
    const config = new APIConfig({}, { env: { OLLAMA_HOST: '127.0.0.1:9' } });

    expect(await findLocalModel(config)).toBeUndefined();
  });

  test('is none where somebody takes the connection and says nothing', async () => {
    const { server, config } = await startOllama();
    server.tagsGate = server.gate();

    expect(await findLocalModel(config)).toBeUndefined();
  });

  test('is the default when nothing else is configured', async () => {
    const { config } = await startOllama();
    const local = { localModel: 'ollama:qwen3:8b' };

    const made = createModels({ config, ...local });
    const keyed = createModels({ config: new APIConfig({}, { env: { OPENAI_API_KEY: 'k' } }), ...local });
    onTestFinished(async () => {
      await made.close();
      await keyed.close();
    });

    expect([made.defaultModel, made.hint]).toEqual(['ollama:qwen3:8b', undefined]);
    expect(made.providers).toContain('ollama');
    expect(keyed.defaultModel).toMatch(/^openai:/);
  });
});

describe('ollama', () => {
  let server: ModelServer;
  let models: Models;

  beforeEach(async () => {
    server = await startModelServer();
    const env = { OLLAMA_HOST: server.origin };
    models = createModels({ config: new APIConfig({ modelRetries: 0 }, { env }) });
  });
  afterEach(async () => {
    await models.close();
    await server.close();
  });

  modelContract(
    wireSubject(
      'ollama',
      () => server,
      () => models.resolve('ollama:qwen3:8b'),
    ),
  );
});
