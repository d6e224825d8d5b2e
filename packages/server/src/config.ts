/**
 * Configuration: one schema. Precedence: overrides in code > environment (`LLMGINE_API_*`, `.env`) > JSON file > defaults.
 * The result is frozen. A wrong value stops the start with one line that names the variable, the value and what is allowed.
 */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { z } from 'zod';

const ENV_PREFIX = 'LLMGINE_API_';

const bool = z.union(
  [z.boolean(), z.stringbool({ truthy: ['true', '1', 'yes', 'on'], falsy: ['false', '0', 'no', 'off'] })],
  {
    error: 'true or false',
  },
);
const int = (min: number, max: number) =>
  z.coerce
    .number({ error: `a whole number from ${min} to ${max}` })
    .int(`a whole number from ${min} to ${max}`)
    .min(min, `a whole number from ${min} to ${max}`)
    .max(max, `a whole number from ${min} to ${max}`);
const seconds = (min: number, max: number) =>
  z.coerce
    .number({ error: `seconds, from ${min} to ${max}` })
    .min(min, `seconds, from ${min} to ${max}`)
    .max(max, `seconds, from ${min} to ${max}`);
const text = (max = 1000) =>
  z.string().trim().min(1, 'a text that is not empty').max(max, `at most ${max} characters`);
const list = z.union([
  z.array(z.string()),
  z.string().transform((value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  ),
]);
const origins = list.pipe(
  z.array(
    z
      .string()
      .refine(
        (value) => URL.canParse(value) && new URL(value).origin === value,
        'origins like https://app.example.com, separated by commas',
      ),
  ),
);

const DAY = 86_400;

/** Every setting. The name in code is camelCase; in the environment it is `LLMGINE_API_` and upper snake case, in the file snake case. */
export const configSchema = z.object({
  title: text(200).default('LLMgine API').describe('API title'),
  version: text(100).default('1.0.0').describe('Version of your API, shown in `/` and `/openapi.json`'),
  host: text(255).default('0.0.0.0').describe('Host to bind to'),
  port: int(0, 65_535).default(8000).describe('Port to bind to; 0 takes a free one'),
  debug: bool.default(false).describe('Details in errors and logs, never secrets'),
  maxSessions: int(1, 100_000_000).default(100).describe('Maximum concurrent sessions'),
  sessionTimeout: seconds(0, 10 * 365 * DAY)
    .default(3600)
    .describe('Seconds untouched after which a session expires; 0 = never'),
  sessionIdleTimeout: seconds(0, 10 * 365 * DAY)
    .default(300)
    .describe('Seconds untouched after which a session is idle'),

  key: z
    .string()
    .trim()
    .min(16, 'at least 16 characters')
    .max(512)
    .optional()
    .describe('Bootstrap API key; with it, every caller needs it'),
  corsOrigins: origins.default([]).describe('Browser origins besides local ones, separated by commas'),

  dataDir: text().default('./data').describe('Folder of the embedded database; created when missing'),
  databaseUrl: z
    .string()
    .regex(/^(sqlite:.+|:memory:)$/, '`sqlite:PATH` or `:memory:`')
    .optional()
    .describe('`sqlite:PATH` or `:memory:`; default `llmgine.db` in the data folder'),
  sqliteSynchronous: z
    .enum(['normal', 'full'], { error: 'normal or full' })
    .default('normal')
    .describe('`full` also survives power loss'),

  model: z
    .string()
    .trim()
    .regex(/^[a-z0-9-]+(:.+)?$/, '`provider:model`, for example openai-compatible:llama3')
    .optional()
    .describe('Default model as `provider:model`; without it, what is configured, else `demo`'),
  modelAdapter: z
    .enum(['lean', 'ai-sdk'], { error: 'lean or ai-sdk' })
    .default('lean')
    .describe('Adapter for the OpenAI-compatible wire'),

  maxConcurrentRuns: int(1, 10_000).default(64).describe('Runs that execute at once'),
  runTimeout: seconds(0.1, 7 * DAY)
    .default(600)
    .describe('Seconds a run may take'),
  shutdownGrace: seconds(0, 3600)
    .default(10)
    .describe('Seconds that runs get to finish when the server stops'),

  maxBodySize: int(1024, 1_073_741_824).default(1_048_576).describe('Bytes of a REST body'),
  websocketMaxMessageSize: int(1024, 1_073_741_824)
    .default(1_048_576)
    .describe('Bytes of an inbound WebSocket message'),
  websocketMaxFragments: int(1, 16_384).default(256).describe('Fragments of an inbound WebSocket message'),
  websocketMaxBuffer: int(16_384, 1_073_741_824)
    .default(1_048_576)
    .describe('Unsent bytes after which a connection is closed with 4009'),
  websocketStallTimeout: seconds(0.05, 3600)
    .default(10)
    .describe('Seconds without progress after which a full connection is closed with 4009'),
  websocketHeartbeat: seconds(0.05, 3600)
    .default(30)
    .describe('Seconds between pings; a peer that misses two is dead'),
  websocketMessageRate: int(1, 1_000_000)
    .default(50)
    .describe('Inbound messages a second, per connection and per principal (not for the same machine)'),
  websocketMessageBurst: int(1, 1_000_000)
    .default(100)
    .describe('Inbound messages at once before the rate counts'),
  handlerTimeout: seconds(0.05, 3600).default(30).describe('Seconds a message handler may take'),

  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .optional()
    .describe('Default `info`, `debug` in debug mode'),
  logFormat: z
    .enum(['auto', 'json', 'pretty'], { error: 'auto, json or pretty' })
    .default('auto')
    .describe('`auto`: pretty on a terminal, else JSON'),

  custom: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Settings of your own; handlers and engines see them'),
});

export type ConfigValues = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type ConfigKey = keyof typeof configSchema.shape;

/** Provider credentials come from the variables that their own tools use; they are not part of the configuration and never shown. */
export interface ProviderEnvironment {
  readonly OPENAI_API_KEY?: string;
  readonly OPENAI_BASE_URL?: string;
}

export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

export function envName(key: ConfigKey): string {
  return ENV_PREFIX + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
function fileName(key: ConfigKey): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const KEYS = Object.keys(configSchema.shape) as ConfigKey[];
const SECRET_KEYS: ReadonlySet<ConfigKey> = new Set(['key']);
/** Read by the loader itself. */
const LOADER_VARIABLES: ReadonlySet<string> = new Set([`${ENV_PREFIX}CONFIG`]);

type Source = Readonly<Record<string, string | undefined>>;

export interface LoadOptions {
  /** Settings in code; they win over everything. */
  readonly overrides?: Partial<ConfigInput> | undefined;
  /** Default `process.env`, on top of `.env` in the working directory. */
  readonly env?: Source | undefined;
  /** A JSON file; default `LLMGINE_API_CONFIG`. */
  readonly file?: string | undefined;
}

/**
 * The configuration of an application. `new APIConfig({ title, maxSessions: 50, custom: {…} })` takes overrides; the rest
 * comes from the environment, the file and the defaults. Throws `ConfigError`.
 */
export class APIConfig {
  readonly values: Readonly<ConfigValues>;
  readonly providers: ProviderEnvironment;
  /** Things that do not stop the start but that people should know, one line each. */
  readonly warnings: readonly string[];

  constructor(overrides: Partial<ConfigInput> = {}, options: Omit<LoadOptions, 'overrides'> = {}) {
    const env: Source = options.env ?? { ...readDotEnv(), ...process.env };
    this.values = deepFreeze(load({ ...options, env, overrides }));
    this.warnings = Object.freeze(strayVariables(env));
    this.providers = Object.freeze({
      ...(env.OPENAI_API_KEY ? { OPENAI_API_KEY: env.OPENAI_API_KEY } : {}),
      ...(env.OPENAI_BASE_URL ? { OPENAI_BASE_URL: env.OPENAI_BASE_URL } : {}),
    });
  }

  get custom(): Readonly<Record<string, unknown>> {
    return this.values.custom;
  }
}

function readDotEnv(): Source {
  try {
    return parseEnv(readFileSync('.env', 'utf8')) as Source;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new ConfigError(`.env cannot be read: ${(error as Error).message}`);
  }
}

/** Not an error: an orchestrator may inject variables with this prefix for a service of the same name. */
function strayVariables(env: Source): string[] {
  const known = new Set([...LOADER_VARIABLES, ...KEYS.map(envName)]);
  return Object.keys(env)
    .filter((name) => name.startsWith(ENV_PREFIX) && !known.has(name))
    .map((name) => `${name} is set, but it is not a setting`);
}

interface Candidate {
  readonly value: unknown;
  /** What people call it: the variable, the key of the file, or the option in code. */
  readonly label: string;
}

function load(options: LoadOptions & { env: Source }): ConfigValues {
  const candidates = new Map<ConfigKey, Candidate>();

  const file = options.file ?? options.env[`${ENV_PREFIX}CONFIG`];
  if (file) {
    const values = readConfigFile(file);
    for (const key of KEYS) {
      const name = fileName(key);
      if (name in values) candidates.set(key, { value: values[name], label: `${name} in ${file}` });
    }
    const known = new Set(KEYS.map(fileName));
    const unknown = Object.keys(values).find((name) => !known.has(name));
    if (unknown)
      throw new ConfigError(`${unknown} in ${file} is not a setting; known are: ${[...known].join(', ')}`);
  }
  for (const key of KEYS) {
    const name = envName(key);
    const value = options.env[name];
    // An empty variable is an unset one: shells and compose files write it that way.
    if (value !== undefined && value !== '')
      candidates.set(key, { value: fromEnv(key, name, value), label: name });
  }
  for (const [key, value] of Object.entries(options.overrides ?? {})) {
    if (!(key in configSchema.shape))
      throw new ConfigError(`${key} is not a setting; known are: ${KEYS.join(', ')}`);
    if (value !== undefined) candidates.set(key as ConfigKey, { value, label: key });
  }

  const input = Object.fromEntries([...candidates].map(([key, { value }]) => [key, value]));
  const parsed = configSchema.safeParse(input);
  if (parsed.success) return parsed.data;

  const issue = parsed.error.issues[0];
  const key = issue?.path[0] as ConfigKey;
  const candidate = candidates.get(key);
  const shown = SECRET_KEYS.has(key) ? '(hidden)' : JSON.stringify(candidate?.value);
  throw new ConfigError(
    `${candidate?.label ?? key} is ${shown}, but must be ${issue?.message ?? 'something else'}`,
  );
}

function fromEnv(key: ConfigKey, name: string, value: string): unknown {
  if (key !== 'custom') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw new ConfigError(`${name} is ${JSON.stringify(value)}, but must be a JSON object`);
  }
}

function readConfigFile(path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(
      `${ENV_PREFIX}CONFIG is ${JSON.stringify(path)}, but it cannot be read as JSON: ${(error as Error).message}`,
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ConfigError(
      `${ENV_PREFIX}CONFIG is ${JSON.stringify(path)}, but the file must hold a JSON object`,
    );
  }
  return parsed as Record<string, unknown>;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
