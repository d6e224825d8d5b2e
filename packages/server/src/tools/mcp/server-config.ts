/** One entry of `mcpServers`, as people write it for other programs too. */
import { z } from 'zod';
import { expandVariables, type VariableLookup } from './expand-variables.ts';
import { isSecretName } from './secrets.ts';

const DEFAULT_TIMEOUT_SECONDS = 60;
const MAX_TIMEOUT_SECONDS = 24 * 3600;

export interface McpStdio {
  readonly kind: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface McpHttp {
  /** `sse`: the transport that streamable HTTP has replaced. `any`: whichever of them it speaks. */
  readonly kind: 'http' | 'sse' | 'any';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface McpServerConfig {
  readonly name: string;
  readonly reach: McpStdio | McpHttp;
  /** By the names that the server gives them; undefined: all. */
  readonly allowedTools?: ReadonlySet<string>;
  /** Whether somebody has to approve a call: of all its tools, of none, or of these. */
  readonly approval: boolean | ReadonlySet<string>;
  /** Of one call. */
  readonly timeoutMs: number;
  /** Values that no log, and no error that a model reads, may show. */
  readonly secrets: readonly string[];
}

const texts = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean()], 'must be a text').transform(String),
  'must be an object of texts',
);
const names = z.array(z.string(), 'must be a list of names of tools');

const entrySchema = z.object(
  {
    command: z.string('must be a text').min(1, 'must not be empty').optional(),
    args: z.array(z.string(), 'must be a list of texts').default([]),
    env: texts.default({}),
    cwd: z.string('must be a text').min(1, 'must not be empty').optional(),
    url: z.string('must be a text').optional(),
    headers: texts.default({}),
    type: z.string('must be a text').optional(),
    transport: z.string('must be a text').optional(),
    disabled: z.boolean('must be true or false').default(false),
    allowedTools: names.optional(),
    approval: z
      .union([z.literal(['never', 'always']), names], 'must be "never", "always" or a list of names of tools')
      .default('never'),
    timeout: z
      .number('must be seconds')
      .gt(0, 'must be seconds, more than 0')
      .max(MAX_TIMEOUT_SECONDS, `must be seconds, at most ${MAX_TIMEOUT_SECONDS}`)
      .default(DEFAULT_TIMEOUT_SECONDS),
  },
  'must be an object',
);
type Entry = z.output<typeof entrySchema>;

/** How programs call the transports. */
const KINDS: ReadonlyMap<string, 'stdio' | 'http' | 'sse'> = new Map([
  ['stdio', 'stdio'],
  ['http', 'http'],
  ['streamablehttp', 'http'],
  ['sse', 'sse'],
]);

export interface ReadEntry {
  /** Null for one that is disabled. */
  readonly server: McpServerConfig | null;
  /** Fields that mean nothing here. */
  readonly unknown: readonly string[];
}

/** Throws an `Error` whose message says what is wrong, without a value that may be secret. */
export function readEntry(name: string, value: unknown, lookup: VariableLookup): ReadEntry {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error([issue?.path.join('.'), issue?.message].filter(Boolean).join(' '));
  }
  const entry = parsed.data;
  const unknown = Object.keys(value as object).filter((key) => !(key in entrySchema.shape));
  if (entry.disabled) return { server: null, unknown };

  const secrets: string[] = [];
  const reach = reachOf(entry, lookup, secrets);
  const server: McpServerConfig = {
    name,
    reach,
    ...(entry.allowedTools ? { allowedTools: new Set(entry.allowedTools) } : {}),
    approval: Array.isArray(entry.approval) ? new Set(entry.approval) : entry.approval === 'always',
    timeoutMs: Math.ceil(entry.timeout * 1000),
    secrets,
  };
  return { server, unknown };
}

function reachOf(entry: Entry, lookup: VariableLookup, secrets: string[]): McpStdio | McpHttp {
  const { command, url } = entry;
  if ((command === undefined) === (url === undefined)) throw new Error('needs either "command" or "url"');
  const kind = kindOf(entry);
  const expand = (field: string, value: string) => {
    const noted = (variable: string) => {
      const found = lookup(variable);
      if (found !== undefined) secrets.push(found);
      return found;
    };
    return expandVariables(value, noted, field);
  };
  const expandAll = (field: string, values: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, expand(`${field}.${key}`, value)] as const),
    );
  if (command !== undefined) {
    if (kind !== undefined && kind !== 'stdio')
      throw new Error(`has a "command", which is not of type "${kind}"`);
    const { args, cwd } = entry;
    const env = expandAll('env', entry.env);
    for (const [variable, text] of Object.entries(env)) if (isSecretName(variable)) secrets.push(text);
    for (const text of [command, ...args, cwd ?? '', ...Object.entries(env).flat()]) {
      if (text.includes('\0')) throw new Error('holds a zero byte, which no process can be given');
    }
    return { kind: 'stdio', command, args, env, ...(cwd === undefined ? {} : { cwd }) };
  }
  if (kind === 'stdio') throw new Error('has a "url", which is not of type "stdio"');
  const headers = expandAll('headers', entry.headers);
  for (const [header, text] of Object.entries(headers)) {
    if (!isHeader(header, text)) throw new Error(`headers.${header} is not a header of HTTP`);
    // The scheme, as in `Bearer …`, need not be said with it.
    secrets.push(text, text.slice(text.indexOf(' ') + 1));
  }
  const address = httpUrl(expand('url', url ?? ''));
  secrets.push(...secretsOf(address));
  return { kind: kind ?? 'any', url: address, headers };
}

function secretsOf({ searchParams }: URL): readonly string[] {
  return [...searchParams].filter(([name]) => isSecretName(name)).map(([, value]) => value);
}

function kindOf({ type, transport }: Entry): 'stdio' | 'http' | 'sse' | undefined {
  const named = type ?? transport;
  if (named === undefined) return undefined;
  const kind = KINDS.get(named.toLowerCase().replace(/[-_ ]/g, ''));
  if (!kind) throw new Error(`${type === undefined ? 'transport' : 'type'} must be "stdio", "http" or "sse"`);
  return kind;
}

function httpUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Error('url must begin with http:// or https://');
  if (url.username !== '' || url.password !== '')
    throw new Error('url must hold no user and password; use headers.Authorization');
  return url;
}

function isHeader(name: string, value: string): boolean {
  try {
    new Headers([[name, value]]);
    return true;
  } catch {
    return false;
  }
}
