import { readFileSync } from 'node:fs';
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
  readonly variables: ReadonlyMap<string, string>;
  /** A JSON file; default: the one that `LLMGINE_API_CONFIG` names. */
  readonly file: string | undefined;
}

/** Overrides win over the environment, and that over the file. Throws `ConfigError` for the first value that is wrong. */
export function loadValues({ overrides, variables, file }: Sources): Readonly<ConfigValues> {
  const candidates = new Map([
    ...fromFile(file ?? variables.get(FILE_VARIABLE)),
    ...fromVariables(variables),
    ...fromCode(overrides),
  ]);
  const input = Object.fromEntries([...candidates].map(([key, { value }]) => [key, value]));
  const parsed = configSchema.safeParse(input);
  if (parsed.success) return frozenCopy(parsed.data);

  const [issue] = parsed.error.issues;
  const key = issue?.path[0] as ConfigKey;
  const { label, value } = candidates.get(key) as Candidate;
  throw new ConfigError(`${label} is ${shown(key, value)}, but must be ${issue?.message}`);
}

function fromFile(path: string | undefined): Candidates {
  if (path === undefined) return [];
  const values = readConfigFile(path);
  const keys = new Map(CONFIG_KEYS.map((key) => [fileName(key), key]));
  return Object.entries(values).map(([name, value]) => {
    const key = keys.get(name);
    if (key) return [key, { value, label: `${name} in ${path}` }];
    throw unknownSetting(`${name} in ${path}`, [...keys.keys()]);
  });
}

function readConfigFile(path: string): object {
  const refuse = (reason: string) =>
    new ConfigError(`${FILE_VARIABLE} is ${JSON.stringify(path)}, but ${reason}`);
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

function fromVariables(variables: Sources['variables']): Candidates {
  return CONFIG_KEYS.flatMap((key) => {
    const label = envName(key);
    const value = variables.get(label);
    return value === undefined ? [] : [[key, { value, label }] as const];
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
