import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError } from '@llmgine/protocol';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { APIConfig } from '../../src/config.ts';
import { FURTHER_PROVIDERS } from '../../src/models/further-providers.ts';
import { createModels } from '../../src/models/registry.ts';
import type { ModelRequest } from '../../src/models/types.ts';
import { failure } from './contract.ts';
import { RecordingSink } from './recording-sink.ts';

const REQUEST: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }] };

/** A package as it would be installed, that says what it was made with. */
async function install(directory: string, name: string, source: string): Promise<void> {
  const folder = join(directory, 'node_modules', name);
  await mkdir(join(folder, 'dist'), { recursive: true });
  const exports = { '.': { types: './dist/index.d.ts', import: './dist/index.js' } };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, type: 'module', exports }));
  await writeFile(join(folder, 'dist/index.js'), source);
}

const SPEAKING = (factory: string, specification = 'v4') => `
  export const ${factory} = (options) => ({
    languageModel: (name) => ({
      specificationVersion: '${specification}',
      doStream: async () => ({
        stream: ReadableStream.from([
          { type: 'text-delta', id: '0', delta: name + ' ' + options.apiKey + ' ' + typeof options.fetch },
          { type: 'finish', finishReason: { unified: 'stop' }, usage: { inputTokens: {}, outputTokens: {} } },
        ]),
      }),
    }),
  });
`;

function models(directory: string, env: Record<string, string>) {
  const made = createModels({ config: new APIConfig({ modelRetries: 0 }, { env }), directory });
  onTestFinished(() => made.close());
  return made;
}

describe('a provider whose package is not installed', () => {
  test.each(FURTHER_PROVIDERS.map(({ name, package: wanted }) => [name, wanted]))(
    'says what to install: %s',
    async (name, wanted) => {
      const made = models(await tempDir(), {});

      expect(() => made.resolve(`${name}:some-model`)).toThrow(`npm install ${wanted}`);
      expect(() => made.resolve(`${name}:some-model`)).toThrow(ApiError);
      expect(made.providers).not.toContain(name);
    },
  );
});

describe('a provider whose package is installed in the working directory', () => {
  test('answers, and is listed', async () => {
    const directory = await tempDir();
    await install(directory, '@ai-sdk/mistral', SPEAKING('createMistral'));
    const made = models(directory, { MISTRAL_API_KEY: 'k-mistral' });
    const sink = new RecordingSink();

    await made.resolve('mistral:small').stream(REQUEST, sink, new AbortController().signal);

    expect(sink.said).toBe('small k-mistral function');
    expect(made.providers).toContain('mistral');
  });

  test('names the variable of its key when that is missing', async () => {
    const directory = await tempDir();
    await install(directory, '@ai-sdk/mistral', SPEAKING('createMistral'));
    const made = models(directory, {});

    expect(() => made.resolve('mistral:small')).toThrow('mistral models need MISTRAL_API_KEY');
    expect(made.providers).not.toContain('mistral');
  });

  test.each([
    ['of another specification', SPEAKING('createMistral', 'v2')],
    ['without its factory', SPEAKING('createSomething')],
  ])('says which version to install when it is one %s', async (_, source) => {
    const directory = await tempDir();
    await install(directory, '@ai-sdk/mistral', source);
    const made = models(directory, { MISTRAL_API_KEY: 'k-mistral' });

    const error = await failure(made.resolve('mistral:small'), REQUEST);

    expect(error.message).toContain('npm install @ai-sdk/mistral@latest');
  });

  test('takes nothing with it when it cannot be loaded', async () => {
    const directory = await tempDir();
    await install(directory, '@ai-sdk/mistral', 'throw new Error("broken inside")');
    const made = models(directory, { MISTRAL_API_KEY: 'k-mistral' });

    const error = await failure(made.resolve('mistral:small'), REQUEST);

    expect(error.message).toContain('broken inside');
  });
});
