/** Where settings come from, and which source wins. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { APIConfig, ConfigError } from '../../src/config.ts';
import { logLines } from '../extensibility/log-lines.ts';

async function configFile(content: unknown): Promise<string> {
  const file = join(await tempDir(), 'settings.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

/** Runs in a folder with this `.env`, and with nothing of the machine's own environment. */
async function inFolderWith(dotEnv: string, variables: Record<string, string> = {}): Promise<void> {
  const [folder, environment] = [process.cwd(), process.env];
  onTestFinished(() => {
    process.chdir(folder);
    process.env = environment;
  });
  const dir = await tempDir();
  await writeFile(join(dir, '.env'), dotEnv);
  process.chdir(dir);
  process.env = variables;
}

test('code wins over the environment, that over .env, that over the file, that over the default', async () => {
  const file = await configFile({
    title: 'file',
    version: 'file',
    host: 'file',
    data_dir: 'file',
    max_sessions: 1,
  });
  await inFolderWith(['TITLE', 'VERSION', 'HOST'].map((name) => `LLMGINE_API_${name}=dotenv`).join('\n'), {
    LLMGINE_API_TITLE: 'environment',
    LLMGINE_API_VERSION: 'environment',
    LLMGINE_API_CONFIG: file,
  });

  const { values } = new APIConfig({ title: 'code' });

  expect(values).toMatchObject({
    title: 'code',
    version: 'environment',
    host: 'dotenv',
    dataDir: 'file',
    maxSessions: 1,
    port: 8000,
  });
});

test('an empty variable of the process hides nothing in .env', async () => {
  await inFolderWith('LLMGINE_API_TITLE=dotenv\nOPENAI_API_KEY=from-dotenv', {
    LLMGINE_API_TITLE: '',
    OPENAI_API_KEY: '',
  });

  const config = new APIConfig();

  expect(config.values.title).toBe('dotenv');
  expect(config.providers).toEqual({ OPENAI_API_KEY: 'from-dotenv' });
});

test('a value out of .env is said to come from there, unless the environment has it, too', async () => {
  await inFolderWith('LLMGINE_API_PORT=many\nLLMGINE_API_COLOUR=red', {});

  expect(() => new APIConfig()).toThrow(/^LLMGINE_API_PORT in \.env is "many", but must be/);
  process.env = { LLMGINE_API_PORT: 'few' };
  expect(() => new APIConfig()).toThrow(/^LLMGINE_API_PORT is "few", but must be/);
  process.env = { LLMGINE_API_PORT: '1' };
  expect(new APIConfig().warnings).toEqual(['LLMGINE_API_COLOUR in .env is set, but it is not a setting']);
});

test('without a .env file the environment alone counts', async () => {
  await inFolderWith('', { LLMGINE_API_TITLE: 'environment' });
  process.chdir(await tempDir());

  expect(new APIConfig().values.title).toBe('environment');
});

test('a file may hold every kind of value as JSON has it', async () => {
  const file = await configFile({
    port: 9000,
    debug: true,
    cors_origins: ['https://app.example.com'],
    custom: { flags: { advanced: true } },
  });

  const { values } = new APIConfig({}, { env: {}, file });

  expect(values).toMatchObject({
    port: 9000,
    debug: true,
    corsOrigins: ['https://app.example.com'],
    custom: { flags: { advanced: true } },
  });
});

test('an option in code that is undefined is not given', () => {
  const { values } = new APIConfig({ title: undefined }, { env: { LLMGINE_API_TITLE: 'environment' } });

  expect(values.title).toBe('environment');
});

test.each([
  [
    'a value that is wrong',
    { port: 'many' },
    'port in FILE is "many", but must be a whole number from 0 to 65535',
  ],
  ['null', { port: null }, 'port in FILE is null, but must be a whole number from 0 to 65535'],
  ['a key that is none', { colour: 'red' }, 'colour in FILE is not a setting; known are: title, version,'],
  ['the name that code uses', { maxSessions: 5 }, 'maxSessions in FILE is not a setting'],
  ['a list', [1], 'LLMGINE_API_CONFIG is "FILE", but that file does not hold a JSON object'],
  ['half a JSON', '{"port": 1', 'LLMGINE_API_CONFIG is "FILE", but that file is not JSON: '],
])('a file with %s stops the start with one line', async (_what, content, expected) => {
  const file = await configFile(content);

  const load = () => new APIConfig({}, { env: { LLMGINE_API_CONFIG: file } });

  expect(load).toThrow(ConfigError);
  expect(load).toThrow(expected.replace('FILE', file));
  expect(load).not.toThrow('\n');
});

test('what is wrong with the JSON is said without quoting it: there may be a secret next to it', async () => {
  const file = await configFile('{"key": hunter2-hunter2-hunter2}');

  const load = () => new APIConfig({}, { env: {}, file });

  expect(load).toThrow("that file is not JSON: Unexpected token 'h'");
  expect(load).not.toThrow('unter2');
});

test('a file that is not there is named', () => {
  expect(() => new APIConfig({}, { env: { LLMGINE_API_CONFIG: '/no/such.json' } })).toThrow(
    'LLMGINE_API_CONFIG is "/no/such.json", but that file cannot be read: ENOENT',
  );
});

test('a file that code or the command line names is not blamed on the variable', () => {
  expect(() => new APIConfig({}, { env: {}, file: '/no/such.json' })).toThrow(
    /^the configuration file is "\/no\/such\.json", but that file cannot be read: ENOENT/,
  );
});

test.each([
  ['gpt4', 'must be `provider:model` with one of these providers: demo, openai, anthropic, google, '],
  ['openai-compatible:llama3', 'openai-compatible models need OPENAI_API_KEY, or OPENAI_BASE_URL'],
])(
  'a default model that is not there stops the start, and its source is named: %s',
  async (model, reason) => {
    const byVariable = startApp({ config: { model: undefined }, env: { LLMGINE_API_MODEL: model } });
    const byCode = startApp({ config: { model } });

    await expect(byVariable).rejects.toThrow(ConfigError);
    await expect(byVariable).rejects.toThrow(`LLMGINE_API_MODEL is "${model}", but ${reason}`);
    await expect(byCode).rejects.toThrow(`model is "${model}", but ${reason}`);
  },
);

test('a configuration is frozen', () => {
  const config = new APIConfig({}, { env: {} });

  expect(() => Object.assign(config, { port: 5 })).toThrow(TypeError);
  expect(() => Object.assign(config, { values: {} })).toThrow(TypeError);
  expect(() => Object.assign(config.values, { port: 5 })).toThrow(TypeError);
});

test('an option in code that does not exist stops the start', () => {
  expect(() => new APIConfig({ colour: 'red' } as never, { env: {} })).toThrow(
    'colour is not a setting; known are: title,',
  );
});

test('a stray variable is a warning, with the setting that was probably meant', () => {
  const { warnings, values } = new APIConfig(
    {},
    { env: { LLMGINE_API_MAXSESSIONS: '5', LLMGINE_API_COLOUR: 'red', OTHER: 'x' } },
  );

  expect(values.maxSessions).toBe(100);
  expect(warnings).toEqual([
    'LLMGINE_API_MAXSESSIONS is set, but it is not a setting; LLMGINE_API_MAX_SESSIONS is',
    'LLMGINE_API_COLOUR is set, but it is not a setting',
  ]);
});

/** What Kubernetes puts into the pods of the documented deployment once there is a Service named `llmgine-api`. */
const SERVICE_LINKS = {
  LLMGINE_API_PORT: 'tcp://10.0.0.1:8000',
  LLMGINE_API_SERVICE_HOST: '10.0.0.1',
  LLMGINE_API_SERVICE_PORT: '8000',
  LLMGINE_API_SERVICE_PORT_HTTP: '8000',
  LLMGINE_API_PORT_8000_TCP: 'tcp://10.0.0.1:8000',
  LLMGINE_API_PORT_8000_TCP_PROTO: 'tcp',
  LLMGINE_API_PORT_8000_TCP_PORT: '8000',
  LLMGINE_API_PORT_8000_TCP_ADDR: '10.0.0.1',
};

test('the variables of a Kubernetes Service are ignored with one warning', () => {
  const { values, warnings } = new APIConfig({}, { env: SERVICE_LINKS });

  expect(values.port).toBe(8000);
  expect(warnings).toHaveLength(1);
  for (const name of Object.keys(SERVICE_LINKS)) expect(warnings[0]).toContain(name);
});

test('a Kubernetes address does not hide a port that is set elsewhere', async () => {
  const file = await configFile({ port: 9000 });

  const { values } = new APIConfig({}, { env: SERVICE_LINKS, file });

  expect(values.port).toBe(9000);
});

test('a port that is no number and no such address is wrong, as ever', () => {
  expect(() => new APIConfig({}, { env: { LLMGINE_API_PORT: 'http://10.0.0.1:8000' } })).toThrow(
    'LLMGINE_API_PORT is "http://10.0.0.1:8000", but must be a whole number from 0 to 65535',
  );
});

test('warnings are in the log of the application, which starts all the same', async () => {
  const { logger, lines } = logLines();

  const { app, url } = await startApp({ env: SERVICE_LINKS, logger });

  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([['warn', app.config.warnings[0]]]);
  expect((await fetch(`${url}/health`)).status).toBe(200);
});
