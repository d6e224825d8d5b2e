/** Reaches an MCP server in the way that it speaks. */
import {
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  type Transport,
} from '@modelcontextprotocol/client';
import { SERVER_VERSION } from '../../version.ts';
import { HttpTransport, SseTransport } from './http-transport.ts';
import { schemaValidator } from './schema-check.ts';
import type { McpServerConfig } from './server-config.ts';
import { StdioTransport } from './stdio-transport.ts';

/** Of the tools of one server: 64 pages. */
const MAX_PAGES = 64;
/** What servers say that do not know this way: the method, the content type, or the path. */
const OTHER_WAY = new Set([400, 404, 405, 406, 415, 501]);

export interface ConnectOptions {
  readonly server: McpServerConfig;
  readonly signal: AbortSignal;
  /** Until it has said hello. */
  readonly timeoutMs: number;
  /** Gets what a child process writes to its error output. */
  readonly onOutput: (text: string) => void;
  /** Gets what is being opened, before it is. */
  readonly onTransport: (transport: Transport) => void;
  /** Its list of tools is not what it was. */
  readonly onToolsChanged: () => void;
}

export interface Connected {
  readonly client: Client;
  readonly transport: Transport;
}

interface Way {
  readonly open: () => Transport;
  /** `auto` also finds servers that know nothing but revisions without `initialize`. */
  readonly mode: 'legacy' | 'auto';
}

/** Rejects with what went wrong in the first way; nothing stays open then. */
export async function connect(options: ConnectOptions): Promise<Connected> {
  let first: unknown;
  for (const way of waysOf(options)) {
    try {
      return await connectBy(way, options);
    } catch (error) {
      first ??= error;
      if (!speaksOtherwise(error)) break;
    }
  }
  throw first;
}

function waysOf({ server: { reach }, onOutput }: ConnectOptions): readonly Way[] {
  if (reach.kind === 'stdio') {
    const open = () => new StdioTransport(reach, onOutput);
    return [
      { open, mode: 'legacy' },
      { open, mode: 'auto' },
    ];
  }
  const open = () => new HttpTransport(reach);
  const streamable: readonly Way[] = [
    { open, mode: 'legacy' },
    { open, mode: 'auto' },
  ];
  const sse: Way = { open: () => new SseTransport(reach), mode: 'legacy' };
  if (reach.kind === 'sse') return [sse];
  return reach.kind === 'http' ? streamable : [...streamable, sse];
}

async function connectBy({ open, mode }: Way, options: ConnectOptions): Promise<Connected> {
  options.signal.throwIfAborted();
  const client = new Client(
    { name: 'llmgine', version: SERVER_VERSION },
    {
      capabilities: {},
      jsonSchemaValidator: schemaValidator,
      listMaxPages: MAX_PAGES,
      versionNegotiation: { mode },
      listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: options.onToolsChanged } },
    },
  );
  const transport = open();
  options.onTransport(transport);
  // A process that hangs answers nothing, so its end must not wait for an answer.
  const abort = () => void transport.close().catch(() => {});
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    await client.connect(transport, { timeout: options.timeoutMs, signal: options.signal });
    options.signal.throwIfAborted();
    return { client, transport };
  } catch (error) {
    const reason = transport instanceof StdioTransport ? transport.reason : undefined;
    await transport.close().catch(() => {});
    // "Connection closed" says less than what the process said before it ended.
    throw reason === undefined ? error : new Error(reason, { cause: error });
  } finally {
    options.signal.removeEventListener('abort', abort);
  }
}

function speaksOtherwise(error: unknown): boolean {
  if (error instanceof SdkHttpError) return OTHER_WAY.has(error.status ?? 0);
  if (error instanceof SdkError) return error.code === SdkErrorCode.EraNegotiationFailed;
  return error instanceof ProtocolError;
}
