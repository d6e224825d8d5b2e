/** Every setting: its default, what it takes, and what a wrong value is told. */
import { describe, expect, test } from 'vitest';
import { APIConfig, ConfigError, type ConfigKey, configSchema, envName } from '../../src/config.ts';

const load = (env: Record<string, string> = {}) => new APIConfig({}, { env });

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('the documented defaults', () => {
  expect(load().values).toMatchObject({
    title: 'LLMgine API',
    host: '0.0.0.0',
    port: 8000,
    debug: false,
    maxSessions: 100,
    sessionTimeout: 3600,
  });
  expect(load().warnings).toEqual([]);
});

test('the documented variables', () => {
  const { values } = load({
    LLMGINE_API_TITLE: 'Mine',
    LLMGINE_API_HOST: '127.0.0.1',
    LLMGINE_API_PORT: '9000',
    LLMGINE_API_DEBUG: 'true',
    LLMGINE_API_MAX_SESSIONS: '50',
    LLMGINE_API_SESSION_TIMEOUT: '60',
  });

  expect(values).toMatchObject({
    title: 'Mine',
    host: '127.0.0.1',
    port: 9000,
    debug: true,
    maxSessions: 50,
    sessionTimeout: 60,
  });
});

test.each([
  ['true', true],
  ['True', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['FALSE', false],
  ['0', false],
  ['no', false],
  [' off ', false],
])('LLMGINE_API_DEBUG=%s is %s', (text, value) => {
  expect(load({ LLMGINE_API_DEBUG: text }).values.debug).toBe(value);
});

test('credentials of a provider lose the line break that a secret in a file ends with', () => {
  const env = { OPENAI_API_KEY: 'sk-provider-key\n', OPENAI_BASE_URL: ' http://localhost:11434/v1\n' };

  expect(load(env).providers).toEqual({
    OPENAI_API_KEY: 'sk-provider-key',
    OPENAI_BASE_URL: 'http://localhost:11434/v1',
  });
  expect(load({ OPENAI_API_KEY: ' \n' }).providers).toEqual({});
});

test.each(['sk-one\nsk-two', 'sk-provider\u2026', 'sk-\u0000'])(
  'a key of a provider that cannot stand in a header is refused without being shown: %j',
  (key) => {
    const message = messageOf(() => load({ OPENAI_API_KEY: key }));

    expect(message).toMatch(/^OPENAI_API_KEY is \(hidden\), but must be /);
    expect(message).not.toContain('sk-');
  },
);

test('lists are separated by commas', () => {
  const { values } = load({ LLMGINE_API_CORS_ORIGINS: 'https://a.example, https://b.example:8443,' });

  expect(values.corsOrigins).toEqual(['https://a.example', 'https://b.example:8443']);
});

/** A wrong text for each setting that has any, and what is said to be allowed. */
const WRONG: Record<ConfigKey, readonly [wrong: readonly string[], allowed: string]> = {
  title: [['   ', 'x'.repeat(201)], 'a text of 1 to 200 characters'],
  version: [['   '], 'a text of 1 to 100 characters'],
  host: [['   '], 'a text of 1 to 255 characters'],
  port: [['many', '-1', '65536', '80.5', '0x50', '1e3', ' '], 'a whole number from 0 to 65535'],
  debug: [['maybe', '2'], 'true or false'],
  maxSessions: [['0', '-5', 'all'], 'a whole number from 1 to 100000000'],
  sessionTimeout: [['-1', 'never', 'NaN', 'Infinity'], 'seconds, from 0 to 315360000'],
  sessionIdleTimeout: [['-1'], 'seconds, from 0 to 315360000'],
  key: [
    ['short', 'with spaces in between it', 'ümlaut-ümlaut-ümlaut'],
    '16 to 512 ASCII characters without spaces',
  ],
  auth: [['maybe'], 'required, local or none'],
  jwtSecret: [['too short', 'x'.repeat(513)], '32 to 512 ASCII characters without spaces'],
  jwtJwksUrl: [['ftp://keys', 'keys'], 'a URL'],
  jwtIssuer: [['   '], 'a text of 1 to 500 characters'],
  jwtAudience: [['   '], 'a text of 1 to 500 characters'],
  jwtTenantClaim: [['   '], 'a text of 1 to 100 characters'],
  jwtRoleClaim: [['   '], 'a text of 1 to 100 characters'],
  jwtLeeway: [['-1', '61'], 'seconds, from 0 to 60'],
  trustedProxies: [[], 'texts, separated by commas'],
  browserSessionLifetime: [['0', 'for ever'], 'seconds, from 1 to 31536000'],
  browserSessionIdleTimeout: [['0'], 'seconds, from 1 to 31536000'],
  console: [['perhaps'], 'true or false'],
  requestRate: [['0'], 'a whole number from 1 to 1000000'],
  addressRate: [['0'], 'a whole number from 1 to 1000000'],
  maxConnectionsPerCaller: [['0'], 'a whole number from 1 to 1000000'],
  maxConnectionsPerAddress: [['0'], 'a whole number from 1 to 1000000'],
  maxSessionsPerCaller: [['0'], 'a whole number from 1 to 100000000'],
  maxRunsPerCaller: [['0'], 'a whole number from 1 to 1000000'],
  corsOrigins: [
    ['*', 'app.example.com', 'https://app.example.com/', 'https://a.example,null'],
    'origins like https://app.example.com, separated by commas',
  ],
  dataDir: [['   '], 'a text of 1 to 1000 characters'],
  databaseUrl: [
    ['mysql://localhost/db', 'postgres:', 'postgres://', 'sqlite:', 'sqlite://', 'sqlite://data/x.db'],
    '`postgres://USER:PASSWORD@HOST/DATABASE`, `sqlite:PATH`, with two slashes `sqlite:///ABSOLUTE/PATH`, or `:memory:`',
  ],
  databasePool: [['1', '1001', 'many'], 'a whole number from 2 to 1000'],
  databaseTimeout: [['0', '3601'], 'seconds, from 0.1 to 3600'],
  runLease: [['0', '0.4', '601'], 'seconds, from 0.5 to 600'],
  eventRetention: [['-1', 'for ever', 'Infinity'], 'seconds, from 0 to 3153600000'],
  eventCompaction: [['-1', 'never'], 'seconds, from 0 to 31536000'],
  sqliteSynchronous: [['off'], 'normal or full'],
  model: [
    ['GPT 5', ':llama3', 'openai:', 'openai:gpt-5,', ',demo'],
    '`provider:model`, for example openai-compatible:llama3, or several of them separated by commas',
  ],
  modelRetries: [['-1', '21'], 'a whole number from 0 to 20'],
  modelConnectTimeout: [['0'], 'seconds, from 0.1 to 600'],
  modelFirstTokenTimeout: [['0'], 'seconds, from 0.1 to 3600'],
  modelTokenTimeout: [['0'], 'seconds, from 0.1 to 3600'],
  prices: [['{', '[]'], 'a JSON object'],
  budgets: [['{', '[]'], 'a JSON object'],
  transcriptionModel: [['whisper 1'], '`provider:model`, for example openai:whisper-1'],
  maxAudioSize: [['1'], 'a whole number from 1024 to 1073741824'],
  maxAudioDuration: [['0'], 'seconds, from 1 to 604800'],
  mcpServers: [['{', '[]'], 'a JSON object'],
  mcpConfig: [['   '], 'a text of 1 to 1000 characters'],
  modelAdapter: [['fat'], 'lean or ai-sdk'],
  maxConcurrentRuns: [['0'], 'a whole number from 1 to 10000'],
  maxQueuedRuns: [['0', '10001'], 'a whole number from 1 to 10000'],
  runTimeout: [['0'], 'seconds, from 0.1 to 604800'],
  requestTimeout: [['0', 'never'], 'seconds, from 0.1 to 31536000'],
  shutdownGrace: [['-1'], 'seconds, from 0 to 3600'],
  maxBodySize: [['1'], 'a whole number from 1024 to 1073741824'],
  maxImportSize: [['1'], 'a whole number from 1024 to 1073741824'],
  websocketMaxMessageSize: [['1'], 'a whole number from 1024 to 1073741824'],
  websocketMaxFragments: [['0'], 'a whole number from 1 to 16384'],
  websocketMaxBuffer: [['1'], 'a whole number from 16384 to 1073741824'],
  websocketStallTimeout: [['0'], 'seconds, from 0.05 to 3600'],
  websocketHeartbeat: [['0'], 'seconds, from 0.05 to 3600'],
  websocketMessageRate: [['0'], 'a whole number from 1 to 1000000'],
  websocketMessageBurst: [['0'], 'a whole number from 1 to 1000000'],
  handlerTimeout: [['0'], 'seconds, from 0.05 to 3600'],
  logLevel: [['loud'], 'trace, debug, info, warn, error, fatal or silent'],
  logFormat: [['xml'], 'auto, json or pretty'],
  custom: [['{', '[]', '"text"', 'null', '7'], 'a JSON object'],
};
const HIDDEN: ReadonlySet<string> = new Set(['key', 'jwtSecret', 'databaseUrl', 'mcpServers', 'custom']);

describe.each(Object.entries(WRONG) as [ConfigKey, (typeof WRONG)[ConfigKey]][])(
  '%s',
  (key, [wrong, allowed]) => {
    const name = envName(key);

    test.each(wrong)(`${name}=%s is one line with the variable, the value and what is allowed`, (text) => {
      const message = messageOf(() => load({ [name]: text }));

      const value = HIDDEN.has(key) ? '(hidden)' : JSON.stringify(text);
      const shown = value.length > 120 ? `${value.slice(0, 120)}…` : value;
      expect(message).toBe(`${name} is ${shown}, but must be ${allowed}`);
    });

    test.each([
      ['null', null],
      ['an object', allowed === 'a JSON object' ? ['not', 'this'] : { not: 'this' }],
      ['a function', () => 1],
    ])('%s in code is refused in the same words', (_what, value) => {
      const message = messageOf(() => new APIConfig({ [key]: value }, { env: {} }));

      expect(message).toMatch(new RegExp(`^${key} is `));
      expect(message.endsWith(`, but must be ${allowed}`)).toBe(true);
      expect(message).not.toContain('\n');
    });

    test('an empty variable is an unset one', () => {
      expect(load({ [name]: '' }).values[key]).toEqual(load().values[key]);
    });

    test('it is described, for the reference page', () => {
      expect(configSchema.shape[key].description).toMatch(/\S/);
    });
  },
);

test.each([
  'postgres://me:hunter2@db.example/app',
  'postgresql://me:hunter2@[::1]:5433/app?sslmode=require',
  'postgres:///app?host=/var/run/postgresql',
  'sqlite:data/x.db',
  'sqlite:///var/lib/x.db',
  ':memory:',
])('%s is a database', (url) => {
  expect(load({ LLMGINE_API_DATABASE_URL: url }).values.databaseUrl).toBe(url);
});

test('a database URL is not shown, because it may hold a password', () => {
  const message = messageOf(() => load({ LLMGINE_API_DATABASE_URL: 'mysql://me:hunter2@db/app' }));

  expect(message).toMatch(/^LLMGINE_API_DATABASE_URL is \(hidden\), but must be /);
  expect(message).not.toContain('hunter2');
});

test('how long things are kept, unless somebody says so', () => {
  const DAY = 86_400;
  expect(load().values).toMatchObject({
    eventRetention: 7 * DAY,
    eventCompaction: 60,
    requestTimeout: DAY,
    runLease: 15,
  });
  expect(load({ LLMGINE_API_EVENT_RETENTION: '0' }).values.eventRetention).toBe(0);
});

test('a value with line breaks or terminal codes stays on one readable line', () => {
  const message = messageOf(() => load({ LLMGINE_API_PORT: '1\n2\u001b[31m' }));

  expect(message).toBe('LLMGINE_API_PORT is "1\\n2\\u001b[31m", but must be a whole number from 0 to 65535');
});

test('code may write numbers and truth values as they are or as text', () => {
  const { values } = new APIConfig({ port: '1234', maxSessions: 7, debug: 'yes' }, { env: {} });

  expect(values).toMatchObject({ port: 1234, maxSessions: 7, debug: true });
});
