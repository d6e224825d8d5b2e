/** Which server the commands speak to that are its clients, and as whom. */
import { LlmgineClient, LlmgineError } from '@llmgine/client';
import type { Command } from 'commander';
import { readEnvironment } from '../config/environment.ts';
import { ConfigError, envName } from '../config.ts';
import { describeFailure, EXIT } from './exit.ts';
import { plainLine } from './plain-text.ts';

/** As they come from the command line. */
export interface ServerOptions {
  readonly url?: string;
  readonly token?: string;
}

const MAX_MESSAGE = 1000;
const MAX_RECONNECT_MS = 3000;

/** Adds the options that say which server. */
export function withServer(command: Command): Command {
  return command
    .option('--url <url>', 'where the server is (default LLMGINE_URL, else the configured port here)')
    .option(
      '--token <token>',
      'key or token (better: LLMGINE_TOKEN or LLMGINE_API_KEY, which others cannot see)',
    )
    .exitOverride();
}

export interface Server {
  readonly client: LlmgineClient;
  readonly url: string;
}

/** Throws `ConfigError`. */
export function connectTo({ url, token }: ServerOptions): Server {
  const { variables } = readEnvironment();
  const given = url ?? (process.env.LLMGINE_URL || undefined);
  const port = variables.get(envName('port')) ?? '8000';
  const address = given ?? `http://localhost:${port}`;
  const source = url !== undefined ? '--url' : given !== undefined ? 'LLMGINE_URL' : envName('port');
  checkAddress(address, source, given === undefined ? port : address);
  // The key in a file of this folder is that of the server of this folder, and nobody else's business.
  const ownKey = given === undefined ? variables.get(envName('key')) : process.env.LLMGINE_API_KEY;
  const credential = token ?? (process.env.LLMGINE_TOKEN || ownKey || undefined);
  const client = new LlmgineClient({
    url: address,
    // Somebody is looking.
    times: { maxDelayMs: MAX_RECONNECT_MS },
    ...(credential === undefined ? {} : { token: credential }),
  });
  return { client, url: address };
}

/** Throws `ConfigError`. A password that somebody has put into it is not shown. */
function checkAddress(address: string, source: string, value: string): void {
  const { protocol, username, password } = URL.parse(address) ?? {};
  if (username || password) {
    throw new ConfigError(`${source} holds a name or a password; a key belongs into LLMGINE_TOKEN`);
  }
  if (protocol === 'http:' || protocol === 'https:') return;
  const shown = value.includes('@') ? '(hidden)' : JSON.stringify(value);
  throw new ConfigError(
    value === address
      ? `${source} is ${shown}, but must be like http://localhost:8000`
      : `${source} is ${shown}, but must be a port`,
  );
}

/** Runs what a command does with a server. Resolves to the exit code. Never rejects. */
export async function withFailures(
  options: ServerOptions,
  act: (server: Server) => Promise<number>,
): Promise<number> {
  let url = '';
  try {
    const server = connectTo(options);
    url = server.url;
    return await act(server);
  } catch (error) {
    const { line, exitCode } = describeServerFailure(error, url);
    process.stderr.write(`llmgine: ${line}\n`);
    return exitCode;
  }
}

/** One readable line for people, and the exit code that goes with it. */
export function describeServerFailure(
  error: unknown,
  url: string,
): { readonly line: string; readonly exitCode: number } {
  if (!(error instanceof LlmgineError)) return describeFailure(error);
  // With a status, an answer had begun.
  if (error.code === 'NETWORK_ERROR' && error.status === null) {
    return {
      line: `no server answers at ${url}; start one with: llmgine serve`,
      exitCode: EXIT.UNREACHABLE,
    };
  }
  // What there is one of is the message already, in most cases.
  const fields = error.fields
    .filter(({ message }) => !error.message.includes(message))
    .map(({ path, message }) => `${path}: ${message}`)
    .join('; ');
  const text = plainLine(fields === '' ? error.message : `${error.message} (${fields})`, MAX_MESSAGE);
  if (error.code === 'UNAUTHENTICATED') {
    return { line: `${text}; set LLMGINE_TOKEN to a key or token`, exitCode: EXIT.FAILED };
  }
  return { line: text, exitCode: error.code === 'VALIDATION_ERROR' ? EXIT.USAGE : EXIT.FAILED };
}
