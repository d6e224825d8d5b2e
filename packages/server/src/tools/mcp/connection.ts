import type { JsonObject } from '@llmgine/protocol';
import {
  type CallToolResult,
  type Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  type Tool,
  type Transport,
} from '@modelcontextprotocol/client';
import { connect } from './connect.ts';
import { pause } from './pause.ts';
import { shortened } from './result.ts';
import { withoutSecrets } from './secrets.ts';
import type { McpServerConfig } from './server-config.ts';
import { StdioTransport } from './stdio-transport.ts';

/** What a server gets to list its tools. */
const LIST_MS = 30_000;
/** Between two lists: a server may say without end that it has changed. */
const LIST_PAUSE_MS = 250;
const MAX_ERROR = 2000;

export interface ConnectionOptions {
  readonly server: McpServerConfig;
  readonly signal: AbortSignal;
  readonly connectMs: number;
  readonly onOutput: (text: string) => void;
  readonly onTransport: (transport: Transport) => void;
  /** The tools have been listed again. */
  readonly onTools: (connection: McpConnection) => void;
  /** Gets what goes wrong without ending the connection. */
  readonly onTrouble: (error: unknown) => void;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** One connection to an MCP server, from its hello to its end. */
export class McpConnection {
  readonly #options: ConnectionOptions;
  readonly #client: Client;
  readonly #transport: Transport;
  readonly #lost = Promise.withResolvers<string>();
  readonly #over = new AbortController();
  #tools: readonly Tool[] = [];
  /** The list that is being fetched. */
  #listing: Promise<void> | undefined;
  #changed = false;

  private constructor(options: ConnectionOptions, client: Client, transport: Transport) {
    this.#options = options;
    this.#client = client;
    this.#transport = transport;
    client.onclose = () => this.#lose('the connection ended');
    client.onerror = (error) => {
      options.onTrouble(error);
      // With a child process it is the process that counts. Over HTTP, whether it is still there has to be found out.
      if (!(transport instanceof StdioTransport)) this.refresh();
    };
  }

  /** Connects, and lists the tools. Rejects when either fails; nothing stays open then. */
  static async open(options: ConnectionOptions): Promise<McpConnection> {
    const { connectMs: timeoutMs, ...rest } = options;
    let connection: McpConnection | undefined;
    const onToolsChanged = () => connection?.refresh();
    const { client, transport } = await connect({ ...rest, timeoutMs, onToolsChanged });
    connection = new McpConnection(options, client, transport);
    try {
      await connection.#list();
      return connection;
    } catch (error) {
      const reason = connection.#isLost ? await connection.lost : undefined;
      await connection.close();
      throw reason === undefined ? error : new Error(reason, { cause: error });
    }
  }

  /** Resolves with the reason when the connection has ended. */
  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  /** As the server listed them last. */
  get tools(): readonly Tool[] {
    return this.#tools;
  }

  /** What the server calls itself. */
  get peer(): { readonly name: string; readonly version: string } {
    const { name = '', version = '' } = this.#client.getServerVersion() ?? {};
    return { name: shortened(name, 100), version: shortened(version, 100) };
  }

  /** Rejects with an `Error` in words for the model. */
  async call(tool: string, args: JsonObject, { signal, progress }: CallOptions): Promise<CallToolResult> {
    const { name, timeoutMs, secrets } = this.#options.server;
    try {
      return await this.#client.callTool(
        { name: tool, arguments: args },
        {
          signal,
          timeout: timeoutMs,
          onprogress: ({ message, progress: done, total }) =>
            progress(message ?? (total === undefined ? String(done) : `${done} of ${total}`)),
        },
      );
    } catch (error) {
      signal.throwIfAborted();
      const timedOut = error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout;
      if (timedOut) this.refresh();
      if (this.#isLost || (error instanceof SdkError && error.code === SdkErrorCode.ConnectionClosed)) {
        throw new Error(`The connection to "${name}" ended during the call; its outcome is unknown`, {
          cause: error,
        });
      }
      if (timedOut)
        throw new Error(`"${name}" did not answer within ${timeoutMs / 1000} seconds`, { cause: error });
      const text = shortened(withoutSecrets((error as Error).message, secrets), MAX_ERROR);
      if (error instanceof ProtocolError) throw new Error(text, { cause: error });
      throw new Error(`"${name}" could not be called: ${text}`, { cause: error });
    }
  }

  /**
   * Lists the tools again, one list at a time; what changes meanwhile is listed afterwards. A server that cannot list
   * them is not there any more: the connection ends.
   */
  refresh(): void {
    this.#changed = true;
    if (this.#listing) return;
    this.#listing = this.#listWhileChanged().finally(() => {
      this.#listing = undefined;
    });
  }

  /** Once only; a second call joins the first. */
  async close(): Promise<void> {
    this.#lose('it was closed');
    await this.#transport.close().catch(() => {});
  }

  async #listWhileChanged(): Promise<void> {
    try {
      while (this.#changed && !this.#isLost) {
        this.#changed = false;
        await this.#list();
        // Of a connection that has ended meanwhile nobody wants to hear.
        if (!this.#isLost) this.#options.onTools(this);
        await pause(LIST_PAUSE_MS, this.#over.signal);
      }
    } catch (error) {
      this.#lose(`it does not list its tools: ${(error as Error).message}`);
      await this.close();
    }
  }

  async #list(): Promise<void> {
    if (!this.#client.getServerCapabilities()?.tools) return;
    const { signal } = this.#options;
    const options = { cacheMode: 'refresh', timeout: LIST_MS, signal } as const;
    this.#tools = (await this.#client.listTools(undefined, options)).tools;
  }

  get #isLost(): boolean {
    return this.#over.signal.aborted;
  }

  #lose(reason: string): void {
    if (this.#isLost) return;
    this.#over.abort();
    const known = this.#transport instanceof StdioTransport ? this.#transport.reason : undefined;
    this.#lost.resolve(known ?? reason);
  }
}
