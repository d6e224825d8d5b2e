import type { Transport } from '@modelcontextprotocol/client';
import type { Logger } from 'pino';
import type { ToolRegistry } from '../registry.ts';
import { Backoff } from './backoff.ts';
import { McpConnection } from './connection.ts';
import { pause } from './pause.ts';
import { shortened } from './result.ts';
import { withoutSecrets } from './secrets.ts';
import type { McpServerConfig } from './server-config.ts';
import { StdioTransport } from './stdio-transport.ts';
import { toolsOf } from './tool.ts';

const MAX_REASON = 2000;

export const MCP_STATES = ['connecting', 'ready', 'down', 'disabled'] as const;
export type McpState = (typeof MCP_STATES)[number];

export interface McpServerStatus {
  readonly name: string;
  /** `down`: it failed, and is tried again after a while. */
  readonly status: McpState;
  /** How many tools it has now. */
  readonly tools: number;
  /** Attempts after the first. */
  readonly restarts: number;
  /** Why it is down, or was last; null when it never was. For those who operate the server. */
  readonly lastError: string | null;
}

export interface McpServerOptions {
  readonly server: McpServerConfig;
  readonly registry: ToolRegistry;
  readonly logger: Logger;
  /** How long a server may take until it has said hello. */
  readonly connectMs: number;
}

/** Keeps one MCP server connected, and its tools in the registry while it is. */
export class McpServer {
  readonly #options: McpServerOptions;
  readonly #closing = new AbortController();
  #status: McpServerStatus;
  #connection: McpConnection | undefined;
  #transport: Transport | undefined;
  #life: Promise<void> | undefined;
  readonly #tried = Promise.withResolvers<void>();
  #toldNotes = '';

  constructor(options: McpServerOptions) {
    this.#options = options;
    const { name } = options.server;
    this.#status = { name, status: 'connecting', tools: 0, restarts: 0, lastError: null };
    options.registry.declareGroup(name);
  }

  get status(): McpServerStatus {
    return this.#status;
  }

  /** Resolves when the first attempt has succeeded or failed. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  /** Begins to connect, in the background. */
  start(): void {
    this.#life ??= this.#live();
  }

  /** Resolves when the connection, or the attempt at one, has ended; a child process within seconds. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#connection?.close(), this.#life]);
  }

  /** Ends a child process at once. */
  kill(): void {
    if (this.#transport instanceof StdioTransport) this.#transport.kill();
  }

  async #live(): Promise<void> {
    const { signal } = this.#closing;
    const backoff = new Backoff();
    while (!signal.aborted) {
      const { reason, aliveMs } = await this.#once();
      this.#options.registry.removeGroup(this.#status.name);
      this.#connection = undefined;
      this.#tried.resolve();
      if (signal.aborted) break;
      const lastError = shortened(this.#redacted(reason).replaceAll(/\s+/g, ' '), MAX_REASON);
      this.#change({ status: 'down', tools: 0, lastError });
      const waitMs = backoff.next(aliveMs);
      this.#options.logger.warn(
        { mcp_server: this.#status.name, reason: lastError, retry_ms: Math.round(waitMs) },
        aliveMs > 0 ? 'MCP server lost' : 'MCP server not reached',
      );
      await pause(waitMs, signal);
      this.#change({ status: 'connecting', restarts: this.#status.restarts + 1 });
    }
  }

  /** One connection, from its attempt to its end. */
  async #once(): Promise<{ readonly reason: string; readonly aliveMs: number }> {
    const { server, connectMs, logger } = this.#options;
    const fields = { mcp_server: server.name };
    let connection: McpConnection | undefined;
    try {
      connection = await McpConnection.open({
        server,
        signal: this.#closing.signal,
        connectMs,
        onTransport: (transport) => {
          this.#transport = transport;
        },
        onOutput: (text) =>
          logger.debug({ ...fields, text: this.#redacted(text.trimEnd()) }, 'MCP server says'),
        onTrouble: (error) =>
          logger.debug({ ...fields, reason: this.#redacted(reasonOf(error)) }, 'MCP server trouble'),
        onTools: (current) => this.#take(current),
      });
      this.#connection = connection;
      // Asked to go while it listed its tools.
      if (this.#closing.signal.aborted) {
        await connection.close();
        return { reason: 'closed', aliveMs: 0 };
      }
      const since = performance.now();
      this.#take(connection);
      this.#change({ status: 'ready' });
      logger.info({ ...fields, peer: connection.peer, tools: this.#status.tools }, 'MCP server ready');
      this.#tried.resolve();
      const reason = await connection.lost;
      // Before its process has ended, so that no call finds tools that are gone.
      this.#options.registry.removeGroup(server.name);
      const aliveMs = performance.now() - since;
      await connection.close();
      return { reason, aliveMs };
    } catch (error) {
      await connection?.close();
      return { reason: reasonOf(error), aliveMs: 0 };
    }
  }

  #take(connection: McpConnection): void {
    const { server, registry, logger } = this.#options;
    const { tools, notes } = toolsOf(server, connection.tools, (...call) => connection.call(...call));
    registry.setGroup(server.name, tools);
    this.#change({ tools: tools.length });
    const told = notes.join('; ');
    if (told !== '' && told !== this.#toldNotes) {
      logger.warn({ mcp_server: server.name }, `MCP server ${JSON.stringify(server.name)}: ${told}`);
    }
    this.#toldNotes = told;
  }

  #change(change: Partial<McpServerStatus>): void {
    this.#status = { ...this.#status, ...change };
  }

  #redacted(text: string): string {
    return withoutSecrets(text, this.#options.server.secrets);
  }
}

/** "fetch failed" says nothing without its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, message } = (error.cause ?? {}) as { readonly code?: string; readonly message?: string };
  const cause = message || code;
  return cause && !error.message.includes(cause) ? `${error.message}: ${cause}` : error.message;
}
