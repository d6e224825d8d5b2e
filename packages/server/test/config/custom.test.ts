/** `custom`: settings of the application's own, and what nobody may do with a configuration. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDir } from '../../../../tests/helpers/app.ts';
import { APIConfig } from '../../src/config.ts';

test('the documented example', () => {
  const config = new APIConfig(
    {
      title: 'My Custom API',
      version: '2.0.0',
      maxSessions: 50,
      custom: { my_setting: 'value', feature_flags: { advanced_mode: true } },
    },
    { env: {} },
  );

  expect(config.values).toMatchObject({ title: 'My Custom API', version: '2.0.0', maxSessions: 50 });
  expect(config.custom).toEqual({ my_setting: 'value', feature_flags: { advanced_mode: true } });
});

test('from the file, from the environment and from code; the nearest one wins as a whole', async () => {
  const file = join(await tempDir(), 'settings.json');
  await writeFile(file, JSON.stringify({ custom: { from: 'file', only_here: 1 } }));
  const env = { LLMGINE_API_CUSTOM: '{"from": "environment"}' };

  expect(new APIConfig({}, { env: {}, file }).custom).toEqual({ from: 'file', only_here: 1 });
  expect(new APIConfig({}, { env, file }).custom).toEqual({ from: 'environment' });
  expect(new APIConfig({ custom: { from: 'code' } }, { env, file }).custom).toEqual({ from: 'code' });
});

test('it is frozen all the way down, and what it was made from is not', () => {
  const mine = { flags: { advanced: true }, list: [{ a: 1 }] };
  const config = new APIConfig({ custom: mine }, { env: {} });
  const { flags, list } = config.custom as typeof mine;

  mine.flags.advanced = false;

  expect(flags.advanced).toBe(true);
  expect(() => Object.assign(flags, { advanced: false })).toThrow(TypeError);
  expect(() => list.push({ a: 2 })).toThrow(TypeError);
  expect(() => Object.assign(list[0] as object, { a: 2 })).toThrow(TypeError);
  expect(() => Object.assign(config.values, { port: 1 })).toThrow(TypeError);
  expect(() => Object.assign(config.values.corsOrigins, ['https://evil.example'])).toThrow(TypeError);
  expect(() => Object.assign(config.providers, { OPENAI_API_KEY: 'other' })).toThrow(TypeError);
});

test('instances and functions are handed through as they are', () => {
  const client = new Map([['a', 1]]);
  const lookup = () => client.get('a');

  const { custom } = new APIConfig({ custom: { deep: { client, lookup } } }, { env: {} });
  const deep = custom.deep as { client: typeof client; lookup: typeof lookup };

  expect(deep.client).toBe(client);
  expect(deep.client.set('a', 2)).toBe(client);
  expect(deep.lookup()).toBe(2);
});

test('a key named __proto__ is a key', () => {
  const { custom } = new APIConfig({}, { env: { LLMGINE_API_CUSTOM: '{"__proto__": {"polluted": true}}' } });

  expect(Object.keys(custom)).toEqual(['__proto__']);
  expect(custom.polluted).toBeUndefined();
});

test('as JSON it holds no secret', () => {
  const config = new APIConfig(
    { key: 'a-key-of-more-than-16', custom: { token: 'hunter2' } },
    { env: { OPENAI_API_KEY: 'sk-provider-key' } },
  );

  const json = JSON.stringify({ config });

  expect(json).toContain('"title":"LLMgine API"');
  for (const secret of ['a-key-of-more-than-16', 'hunter2', 'sk-provider-key']) {
    expect(json).not.toContain(secret);
  }
});

test('redact takes its credentials out of a text', () => {
  const config = new APIConfig(
    { key: 'a-key-of-more-than-16' },
    { env: { OPENAI_API_KEY: 'sk-provider-key' } },
  );

  expect(config.redact('used a-key-of-more-than-16 and sk-provider-key, twice sk-provider-key')).toBe(
    'used [hidden] and [hidden], twice [hidden]',
  );
  expect(config.redact('POST http://me:hunter2@models.example/v1: 401')).toBe(
    'POST http://[hidden]@models.example/v1: 401',
  );
});

test('details of an error are for debug mode, and hold no credential and no stack', () => {
  const key = 'a-key-of-more-than-16';
  const config = (debug: boolean) => new APIConfig({ key, debug }, { env: {} });
  const error = new TypeError(`no ${key}`);

  expect(config(false).details(error)).toBeUndefined();
  expect(config(true).details(error)).toBe('TypeError: no [hidden]');
  expect(config(true).details({ key })).toBe("{ key: '[hidden]' }");
  expect(config(true).details(undefined)).toBeUndefined();
});
