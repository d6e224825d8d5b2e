import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from './error.ts';
import { CONFIG_KEYS, ENV_PREFIX, envName, FILE_VARIABLE } from './schema.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

export interface Environment {
  /** The variables that are set and meant for this server. */
  readonly variables: ReadonlyMap<string, string>;
  /** What people call a variable: its name, and where it is when they may have forgotten that. */
  label(name: string): string;
  /** What was set and left out, one line each. */
  readonly warnings: readonly string[];
}

const KNOWN: ReadonlySet<string> = new Set([FILE_VARIABLE, ...CONFIG_KEYS.map(envName)]);

/**
 * What Kubernetes puts into every pod for a Service whose name begins with `llmgine-api`. The documented deployment is
 * called that, so `LLMGINE_API_PORT` has to be told from the setting: its value is an address, not a port.
 */
const SERVICE_LINK =
  /_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

function isServiceLink(name: string, value: string): boolean {
  if (!name.startsWith(ENV_PREFIX)) return false;
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && SERVICE_ADDRESS.test(value));
}

/**
 * Reads the given variables, by default those of the process on top of the `.env` file of the working directory. An empty
 * variable is an unset one: shells and compose files write it that way. A stray variable is no error, because
 * orchestrators inject some.
 */
export function readEnvironment(given?: Variables): Environment {
  const variables = new Map<string, string>();
  const serviceLinks: string[] = [];
  const dotEnv = given ? {} : readDotEnv();
  const layer = given ?? process.env;
  for (const [name, value] of [...Object.entries(dotEnv), ...Object.entries(layer)]) {
    if (value === undefined || value === '') continue;
    if (isServiceLink(name, value)) serviceLinks.push(name);
    else variables.set(name, value);
  }
  const label = (name: string) => (name in dotEnv && !layer[name] ? `${name} in .env` : name);
  const warnings = [...variables.keys()].filter(isStray).map((name) => strayWarning(name, label(name)));
  if (serviceLinks.length > 0) {
    warnings.push(
      `${serviceLinks.toSorted().join(', ')}: ignored, Kubernetes sets them for a Service of this name; ` +
        '`enableServiceLinks: false` in the pod keeps them away',
    );
  }
  return { variables, label, warnings };
}

function isStray(name: string): boolean {
  return name.startsWith(ENV_PREFIX) && !KNOWN.has(name);
}

function strayWarning(name: string, label: string): string {
  const meant = [...KNOWN].find((known) => squeeze(known) === squeeze(name));
  return `${label} is set, but it is not a setting${meant ? `; ${meant} is` : ''}`;
}

function squeeze(name: string): string {
  return name.replaceAll('_', '').toUpperCase();
}

function readDotEnv(): Variables {
  try {
    return parseEnv(readFileSync('.env', 'utf8')) as Variables;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new ConfigError(`.env cannot be read: ${(error as Error).message}`);
  }
}
