import { execFile } from 'node:child_process';
import { promisify, stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { startServer } from '../../../../tests/helpers/child-server.ts';
import { type BannerFacts, banner } from '../../src/cli/banner.ts';
import { APIConfig } from '../../src/config.ts';
import { createModels } from '../../src/models/registry.ts';

const FACTS: BannerFacts = {
  title: 'My API',
  version: '2.1.0',
  model: { id: 'demo', hint: 'set OPENAI_API_KEY or LLMGINE_API_MODEL for another one' },
  storage: 'sqlite data/llmgine.db',
  auth: 'this machine only; set LLMGINE_API_KEY to let others in',
};

test('the banner says where the server is, what answers, where the data is and who is let in', () => {
  const text = banner(FACTS, { url: 'http://localhost:8000', colors: false, needsKey: false });

  expect(text).toContain('My API 2.1.0');
  expect(text).toContain('http://localhost:8000/docs');
  expect(text).toContain('ws://localhost:8000/api/sessions/{session_id}/ws');
  expect(text).toContain('curl -X POST http://localhost:8000/api/sessions');
  for (const fact of [FACTS.model.id, FACTS.model.hint, FACTS.storage, FACTS.auth]) {
    expect(text).toContain(fact);
  }
});

test('the banner names the console where there is one', () => {
  const say = (console: boolean) =>
    banner({ ...FACTS, console }, { url: 'http://localhost:8000', colors: false, needsKey: false });

  expect(say(true)).toContain('http://localhost:8000/console/');
  expect(say(false)).not.toContain('/console');
});

test('every line fits on a wide terminal, whatever answers', () => {
  for (const env of [{}, { OPENAI_API_KEY: 'sk-x' }, { OPENAI_BASE_URL: 'http://localhost:11434/v1' }]) {
    const models = createModels({ config: new APIConfig({}, { env }) });
    const model = { id: models.resolve().id, hint: models.hint ?? '' };

    const text = banner(
      { ...FACTS, model },
      { url: 'http://localhost:65535', colors: false, needsKey: true },
    );

    expect(text.split('\n').filter((line) => line.length > 120)).toEqual([]);
  }
});

test('the first call works when it is copied: with a key, it shows the key', async () => {
  const key = 'a-key-of-some-length';
  const server = await startServer({ LLMGINE_API_DATABASE_URL: ':memory:', LLMGINE_API_KEY: key });
  const firstCall = () => server.lines.find((line) => line.includes('First call:'))?.split('First call: ')[1];
  await expect.poll(firstCall).toBeDefined();

  const { stdout } = await promisify(execFile)('sh', ['-c', `${firstCall()} -s`], {
    env: { PATH: process.env.PATH, LLMGINE_API_KEY: key },
  });

  expect(JSON.parse(stdout)).toMatchObject({ status: 'success' });
  expect(server.lines.join()).not.toContain(key);
});

test('colours change nothing but colours', () => {
  const plain = banner(FACTS, { url: 'http://localhost:1', colors: false, needsKey: false });
  const colored = banner(FACTS, { url: 'http://localhost:1', colors: true, needsKey: false });

  expect(colored).not.toBe(plain);
  expect(stripVTControlCharacters(colored)).toBe(plain);
});
