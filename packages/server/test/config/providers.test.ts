import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { APIConfig, ConfigError } from '../../src/config.ts';

const KEYS = [
  'OPENAI_API_KEY',
  'ANTHROPIC_API_KEY',
  'GOOGLE_GENERATIVE_AI_API_KEY',
  'AWS_SECRET_ACCESS_KEY',
  'MISTRAL_API_KEY',
];

test.each(KEYS)('%s is taken out of every text, and shown by nothing', (name) => {
  const secret = `secret-of-${name}`;
  const config = new APIConfig({}, { env: { [name]: `${secret}\n` } });

  expect(config.providers).toEqual({ [name]: secret });
  expect(config.redact(`It is ${secret}.`)).toBe('It is [hidden].');
  expect(JSON.stringify(config)).not.toContain(secret);
  expect(inspect(config.values)).not.toContain(secret);
});

test.each(KEYS)('%s that no header can hold stops the start', (name) => {
  const make = () => new APIConfig({}, { env: { [name]: 'schlüssel' } });

  expect(make).toThrow(ConfigError);
  expect(make).toThrow(`${name} is (hidden), but must be one line of ASCII characters`);
});
