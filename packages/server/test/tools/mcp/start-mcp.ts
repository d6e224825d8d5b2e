import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Json, JsonObject } from '@llmgine/protocol';
import { onTestFinished } from 'vitest';
import { APIConfig } from '../../../src/config.ts';
import { readMcpServers } from '../../../src/tools/mcp/read-servers.ts';
import { McpServers } from '../../../src/tools/mcp/servers.ts';
import { ToolRegistry } from '../../../src/tools/registry.ts';
import { logLines } from '../../extensibility/log-lines.ts';

const resolve = (path: string) => fileURLToPath(import.meta.resolve(path));

/** Servers that people use, run as their packages would run them. */
export const EVERYTHING = resolve('@modelcontextprotocol/server-everything/dist/index.js');
export const FILESYSTEM = resolve('@modelcontextprotocol/server-filesystem/dist/index.js');

/** An entry for a program of Node. */
export function program(path: string, ...args: string[]) {
  return { command: process.execPath, args: [path, ...args] };
}

/** An entry for our own misbehaving server. */
export function odd(...flags: string[]) {
  return program(fileURLToPath(new URL('odd-server.ts', import.meta.url)), ...flags);
}

export interface StartMcpOptions {
  readonly env?: Record<string, string>;
  readonly connectMs?: number;
}

/** MCP servers and their registry; everything has ended when the test has. */
export function startMcp(mcpServers: Record<string, object>, options: StartMcpOptions = {}) {
  const { lines, logger, find } = logLines('debug');
  const registry = new ToolRegistry();
  const config = new APIConfig({ mcpServers }, { env: options.env ?? {} });
  const servers = new McpServers({ list: readMcpServers(config), registry, logger, ...options });
  onTestFinished(() => servers.close());
  servers.start();
  const happened = (text: string, server: string, times: number) => {
    const fits = (line: (typeof lines)[number]) => line.msg === text && line.mcp_server === server;
    return find((line) => fits(line) && lines.filter(fits).length >= times);
  };
  return {
    registry,
    servers,
    lines,
    find,
    /** The line that says so, for the given time. */
    ready: (server: string, times = 1) => happened('MCP server ready', server, times),
    lost: (server: string, times = 1) => happened('MCP server lost', server, times),
    notReached: (server: string, times = 1) => happened('MCP server not reached', server, times),
    status: (server: string) => servers.status().find(({ name }) => name === server),
    call: (name: string, args: JsonObject = {}, call: CallOptions = {}) =>
      callTool(registry, name, args, call),
  };
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (text: string) => void;
}

/** Executes a tool as an engine would, validation included. */
export async function callTool(
  registry: ToolRegistry,
  name: string,
  args: JsonObject,
  { signal = new AbortController().signal, progress = () => {} }: CallOptions = {},
): Promise<Json> {
  const tool = registry.get(name);
  if (!tool?.execute) throw new TypeError(`no tool ${name}`);
  return tool.execute(tool.parameters.parse(args), {
    sessionId: 's',
    runId: 'r',
    toolCallId: 'c',
    principal: { id: 'p', tenantId: 't' },
    signal,
    progress,
  });
}

/** A port to which one peer connects; `gone` resolves when that peer has ended. */
export async function listenForPeer() {
  const gone = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    arrived.resolve();
    socket.on('error', () => {});
    socket.on('close', () => gone.resolve());
    socket.resume();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new TypeError('no port');
  return { port: address.port, arrived: arrived.promise, gone: gone.promise };
}

/** False for a process that has ended. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
