import type { Logger } from 'pino';
import type { ToolRegistry } from '../registry.ts';
import type { McpServerList } from './read-servers.ts';
import { MCP_STATES, McpServer, type McpServerStatus, type McpState } from './server.ts';
import { within } from './within.ts';

/** Of a server; `npx` may have to download it first. */
const CONNECT_MS = 60_000;
/** What runs that begin right after the start wait for servers. */
const FIRST_RUN_MS = 5000;

export interface McpServersOptions {
  readonly list: McpServerList;
  readonly registry: ToolRegistry;
  readonly logger: Logger;
  /** How long a server may take until it has said hello. Default a minute. */
  readonly connectMs?: number;
}

/** The MCP servers of one application. None of them, slow or dead, holds up anything else. */
export class McpServers {
  readonly #registry: ToolRegistry;
  readonly #servers: readonly McpServer[];
  readonly #disabled: readonly string[];
  readonly #onExit = () => {
    for (const server of this.#servers) server.kill();
  };
  #closing: Promise<void> | undefined;

  constructor({ list, registry, logger, connectMs = CONNECT_MS }: McpServersOptions) {
    for (const warning of list.warnings) logger.warn(warning);
    this.#registry = registry;
    this.#disabled = list.disabled;
    // Also of those that are disabled, so that sessions which name their tools go on.
    for (const name of list.disabled) registry.declareGroup(name);
    this.#servers = list.servers.map((server) => new McpServer({ server, registry, logger, connectMs }));
  }

  status(): readonly McpServerStatus[] {
    const off = this.#disabled.map(
      (name): McpServerStatus => ({ name, status: 'disabled', tools: 0, restarts: 0, lastError: null }),
    );
    return [...this.#servers.map(({ status }) => status), ...off];
  }

  /** What operators see at a glance. */
  counts(): { readonly byStatus: Readonly<Record<McpState, number>>; readonly restarts: number } {
    const servers = this.status();
    const count = (state: McpState) => servers.filter(({ status }) => status === state).length;
    const byStatus = Object.fromEntries(MCP_STATES.map((state) => [state, count(state)]));
    return {
      byStatus: byStatus as Record<McpState, number>,
      restarts: servers.reduce((sum, { restarts }) => sum + restarts, 0),
    };
  }

  /** Begins to connect to all of them, in the background. */
  start(): void {
    if (this.#closing) return;
    // A process that exits at once must not leave children behind.
    if (this.#servers.length > 0) process.on('exit', this.#onExit);
    for (const server of this.#servers) server.start();
    this.#registry.expectGroups(within(Promise.all(this.#servers.map(({ tried }) => tried)), FIRST_RUN_MS));
  }

  /** Resolves when every child process has ended, within seconds. Once only; a second call joins the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    process.off('exit', this.#onExit);
  }
}
