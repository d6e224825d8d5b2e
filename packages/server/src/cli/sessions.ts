/** `llmgine sessions`: what a caller may do with sessions, over REST. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ConfigError } from '../config.ts';
import { EXIT } from './exit.ts';
import { describeMessage } from './message-lines.ts';
import { plainLine } from './plain-text.ts';
import { describeServerFailure, type ServerOptions, withFailures } from './server-options.ts';
import { terminalStyle } from './style.ts';

interface Output extends ServerOptions {
  readonly json?: boolean;
}
interface ListOptions extends Output {
  readonly status?: string;
  readonly metadata?: readonly string[];
  readonly limit?: string;
}

const STATUSES = ['running', 'idle', 'failed'] as const;
const MAX_NAME = 60;

export function listSessions(options: ListOptions): Promise<number> {
  return withFailures(options, async ({ client }) => {
    let left = options.limit === undefined ? Number.POSITIVE_INFINITY : readCount('--limit', options.limit);
    const query = readFilters(options);
    let isHeaded = options.json === true;
    for (let cursor: string | null | undefined; cursor !== null && left > 0; ) {
      const limit = Math.min(left, 100);
      const page = await client.sessions.list({
        ...query,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (!isHeaded) print(columns('ID', 'STATUS', 'LAST USED', 'COST', 'NAME'));
      isHeaded = true;
      for (const session of page.sessions) {
        const { session_id, status, last_interaction_at, usage, name = '' } = session;
        if (options.json === true) print(JSON.stringify(session));
        else
          print(columns(session_id, status, last_interaction_at, costOf(usage), plainLine(name, MAX_NAME)));
      }
      left -= page.sessions.length;
      cursor = page.next;
    }
    return EXIT.OK;
  });
}

export function showSession(id: string, options: Output & { readonly messages: string }): Promise<number> {
  return withFailures(options, async ({ client }) => {
    const count = Math.min(100, readCount('--messages', options.messages));
    const session = await client.sessions.get(id);
    const messages = count === 0 ? [] : (await client.sessions.messages(id, { limit: count })).messages;
    if (options.json === true) {
      print(JSON.stringify({ ...session, messages }, null, 2));
      return EXIT.OK;
    }
    const engine = session.linked_engine && (await client.sessions.engine(id)).engine_type;
    const row = (name: string, value: unknown) => {
      if (value !== undefined && value !== null)
        print(`${`${name}:`.padEnd(11)} ${plainLine(String(value), 500)}`);
    };
    row('session', session.session_id);
    row('name', session.name);
    row('status', session.status);
    row('created', session.created_at);
    row('last used', session.last_interaction_at);
    row('engine', engine);
    row('metadata', session.metadata && JSON.stringify(session.metadata));
    row('usage', session.usage && `${session.usage.total_tokens} tokens, ${costOf(session.usage)}`);
    const style = terminalStyle(process.stdout);
    for (const message of messages) print(`\n${describeMessage(message, style)}`);
    return EXIT.OK;
  });
}

/** Goes on after one that cannot be removed, and fails at the end. */
export function removeSessions(ids: readonly string[], options: Output): Promise<number> {
  return withFailures(options, async ({ client, url }) => {
    let exitCode: number = EXIT.OK;
    for (const id of ids) {
      try {
        await client.sessions.delete(id);
        print(options.json === true ? JSON.stringify({ session_id: id, removed: true }) : `${id} is removed`);
      } catch (error) {
        const failure = describeServerFailure(error, url);
        process.stderr.write(`llmgine: ${plainLine(id, 100)}: ${failure.line}\n`);
        exitCode = failure.exitCode;
        if (exitCode === EXIT.UNREACHABLE) break;
      }
    }
    return exitCode;
  });
}

export function forkSession(
  id: string,
  options: Output & { readonly at?: string; readonly name?: string },
): Promise<number> {
  return withFailures(options, async ({ client }) => {
    const { at, name, json } = options;
    const body = { ...(at === undefined ? {} : { at }), ...(name === undefined ? {} : { name }) };
    const forked = await client.sessions.fork(id, body);
    print(json === true ? JSON.stringify(forked) : forked.session_id);
    return EXIT.OK;
  });
}

export function exportSession(
  id: string,
  options: ServerOptions & { readonly output?: string },
): Promise<number> {
  return withFailures(options, async ({ client }) => {
    const body = (await client.sessions.export(id)) as Parameters<typeof Readable.fromWeb>[0];
    const { output } = options;
    if (output === undefined) {
      await pipeline(Readable.fromWeb(body), process.stdout, { end: false }).catch((cause: unknown) => {
        throw new Error('the export broke off', { cause });
      });
      // Exiting does not wait for a pipe.
      await new Promise((resolve) => process.stdout.write('', resolve));
      return EXIT.OK;
    }
    const file = await create(output);
    try {
      await pipeline(Readable.fromWeb(body), file.createWriteStream());
    } catch (cause) {
      // Half a conversation looks like a whole one.
      await rm(output, { force: true });
      throw new Error(`the export broke off, and ${output} was not written`, { cause });
    }
    return EXIT.OK;
  });
}

export function importSession(file: string | undefined, options: Output): Promise<number> {
  return withFailures(options, async ({ client }) => {
    const fromFile = file !== undefined && file !== '-';
    if (fromFile && !(await isFile(file))) throw new ConfigError(`${file} is not a file`);
    const source = fromFile ? createReadStream(file) : process.stdin;
    const imported = await client.sessions.import(Readable.toWeb(source) as ReadableStream<Uint8Array>);
    print(options.json === true ? JSON.stringify(imported) : imported.session_id);
    return EXIT.OK;
  });
}

/** A file that was not there. A conversation is for whoever exports it. */
async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new Error(`${path} is there already; nothing was written`);
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`there is no file ${path}`);
    throw error;
  });
  return found.isFile();
}

/** Throws `ConfigError`. */
function readFilters({ status, metadata = [] }: ListOptions) {
  const known = STATUSES.find((one) => one === status);
  if (status !== undefined && known === undefined) {
    throw new ConfigError(`--status is ${JSON.stringify(status)}, but must be one of ${STATUSES.join(', ')}`);
  }
  const pairs = metadata.map((pair) => {
    const at = pair.indexOf('=');
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)] as const;
    throw new ConfigError(`--metadata is ${JSON.stringify(pair)}, but must be KEY=VALUE`);
  });
  return {
    ...(known === undefined ? {} : { status: known }),
    ...(pairs.length === 0 ? {} : { metadata: Object.fromEntries(pairs) }),
  };
}

function readCount(option: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new ConfigError(`${option} is ${JSON.stringify(text)}, but must be a whole number`);
}

function costOf(usage: { readonly cost?: number | null | undefined } | undefined): string {
  return typeof usage?.cost === 'number' ? usage.cost.toFixed(4) : '-';
}

function columns(...values: readonly string[]): string {
  const widths = [36, 8, 24, 9];
  return values
    .map((value, index) => value.padEnd(widths[index] ?? 0))
    .join(' ')
    .trimEnd();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
