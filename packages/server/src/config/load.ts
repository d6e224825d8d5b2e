import { readFileSync } from 'node:fs';
import type { Environment } from './environment.ts';
import { ConfigError } from './error.ts';
import { frozenCopy } from './frozen-copy.ts';
import {
  CONFIG_KEYS,
  type ConfigKey,
  type ConfigValues,
  configSchema,
  envName,
  FILE_VARIABLE,
  fileName,
  SECRET_KEYS,
} from './schema.ts';

const MAX_SHOWN = 120;

/** A value that a source has for a setting. */
interface Candidate {
  readonly value: unknown;
  /** What people call it there: the variable, the key of the file, or the option in code. */
  readonly label: string;
}
type Candidates = readonly (readonly [ConfigKey, Candidate])[];

export interface Sources {
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  /** A JSON file; default: the one that `LLMGINE_API_CONFIG` names. */
  readonly file: string | undefined;
}

export interface Loaded {
  readonly values: Readonly<ConfigValues>;
  /** What to throw for a given value that turns out to be wrong: it names the source, and the value if it may be shown. */
  refuse(key: ConfigKey, reason: string): ConfigError;
}

/** Overrides win over the environment, and that over the file. Throws `ConfigError`. */
export function loadValues({ overrides, environment, file }: Sources): Loaded {
  const candidates = new Map([
    ...(file === undefined ? fromNamedFile(environment) : fromFile(file, 'the configuration file')),
    ...fromVariables(environment),
    ...fromCode(overrides),
  ]);
  const refuse = (key: ConfigKey, reason: string) => {
    const { label, value } = candidates.get(key) as Candidate;
    return new ConfigError(`${label} is ${shown(key, value)}, but ${reason}`);
  };
  const input = Object.fromEntries([...candidates].map(([key, { value }]) => [key, value]));
  const parsed = configSchema.safeParse(input);
  if (parsed.success) return { values: frozenCopy(parsed.data), refuse };

  // One for each setting: a value that is wrong in two ways is one value to correct.
  const wrong = new Map(parsed.error.issues.toReversed().map((issue) => [issue.path[0], issue.message]));
  const [first = '', ...further] = [...wrong]
    .toReversed()
    .map(([key, message]) => refuse(key as ConfigKey, `must be ${message}`).message);
  throw new ConfigError(first, further);
}

function fromNamedFile({ variables, label }: Environment): Candidates {
  const path = variables.get(FILE_VARIABLE);
  return path === undefined ? [] : fromFile(path, label(FILE_VARIABLE));
}

function fromFile(path: string, label: string): Candidates {
  const values = readConfigFile(path, label);
  const keys = new Map(CONFIG_KEYS.map((key) => [fileName(key), key]));
  return Object.entries(values).map(([name, value]) => {
    const key = keys.get(name);
    if (key) return [key, { value, label: `${name} in ${path}` }];
    throw unknownSetting(`${name} in ${path}`, [...keys.keys()]);
  });
}

function readConfigFile(path: string, label: string): object {
  const refuse = (reason: string) => new ConfigError(`${label} is ${JSON.stringify(path)}, but ${reason}`);
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw refuse(`that file cannot be read: ${(error as Error).message}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (error) {
    throw refuse(`that file is not JSON: ${withoutQuote((error as Error).message)}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw refuse('that file does not hold a JSON object');
  }
  return parsed;
}

/** The parser quotes the text around the mistake, and that may be a secret. */
function withoutQuote(message: string): string {
  return message.replace(/, (?:\.\.\.)?".*/s, '');
}

function fromVariables({ variables, label }: Environment): Candidates {
  return CONFIG_KEYS.flatMap((key) => {
    const name = envName(key);
    const value = variables.get(name);
    return value === undefined ? [] : [[key, { value, label: label(name) }] as const];
  });
}

function fromCode(overrides: Sources['overrides']): Candidates {
  return Object.entries(overrides).flatMap(([name, value]) => {
    if (!CONFIG_KEYS.includes(name as ConfigKey)) throw unknownSetting(name, CONFIG_KEYS);
    return value === undefined ? [] : [[name as ConfigKey, { value, label: name }] as const];
  });
}

function unknownSetting(what: string, known: readonly string[]): ConfigError {
  return new ConfigError(`${what} is not a setting; known are: ${known.join(', ')}`);
}

function shown(key: ConfigKey, value: unknown): string {
  if (SECRET_KEYS.has(key)) return '(hidden)';
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  // A database URL may hold a password.
  const safe = text.replace(/(?<=:\/\/)[^/@]*@/g, '(hidden)@');
  return safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}…` : safe;
}
