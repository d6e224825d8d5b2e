import type { Json, JsonObject } from '@llmgine/protocol';
import type { Tool } from '@modelcontextprotocol/client';
import type { ToolDefinition } from '../types.ts';
import type { McpConnection } from './connection.ts';
import { resultOf, shortened } from './result.ts';
import { argumentsSchema } from './schema-check.ts';
import type { McpServerConfig } from './server-config.ts';

/** Characters of a description: what the strictest provider takes. */
const MAX_DESCRIPTION = 1024;
/** Characters of the schema of arguments, which goes to the model with every request. */
const MAX_SCHEMA = 100_000;
/** Of one server. */
const MAX_TOOLS = 512;
/** Each line of progress is an event that is kept. */
const PROGRESS_PAUSE_MS = 500;
const MAX_PROGRESS = 300;
/** So that the connection, which can cancel the call, is the first to notice that it takes too long. */
const TIMEOUT_MARGIN_MS = 2000;

export type Call = McpConnection['call'];

export interface ServerTools {
  readonly tools: readonly ToolDefinition[];
  /** What was left out, one line each. */
  readonly notes: readonly string[];
}

/** The tools of a server that may be used, as it calls them. */
export function toolsOf(server: McpServerConfig, listed: readonly Tool[], call: Call): ServerTools {
  const notes: string[] = [];
  const { allowedTools, approval } = server;
  const there = new Set(listed.map(({ name }) => name));
  const wanted = [...(allowedTools ?? []), ...(typeof approval === 'boolean' ? [] : approval)];
  const missing = [...new Set(wanted)].filter((name) => !there.has(name));
  if (missing.length > 0) notes.push(`it has no tools called ${missing.join(', ')}`);

  const allowed = listed.filter(({ name }) => allowedTools?.has(name) ?? true);
  const usable = allowed.filter(({ inputSchema }) => JSON.stringify(inputSchema).length <= MAX_SCHEMA);
  if (usable.length < allowed.length) {
    notes.push(`tools whose schema has more than ${MAX_SCHEMA} characters were left out`);
  }
  if (usable.length > MAX_TOOLS) notes.push(`only the first ${MAX_TOOLS} of ${usable.length} tools are used`);
  return { tools: usable.slice(0, MAX_TOOLS).map((tool) => toolOf(server, tool, call)), notes };
}

function toolOf(server: McpServerConfig, tool: Tool, call: Call): ToolDefinition {
  const { name, description, inputSchema, annotations, title } = tool;
  const words = description || title || annotations?.title || `"${name}" of the MCP server "${server.name}"`;
  const jsonSchema = inputSchema as JsonObject;
  return {
    name,
    description: shortened(words, MAX_DESCRIPTION - 1),
    parameters: argumentsSchema(jsonSchema),
    jsonSchema,
    timeoutMs: server.timeoutMs + TIMEOUT_MARGIN_MS,
    idempotent: annotations?.idempotentHint === true || annotations?.readOnlyHint === true,
    approval: typeof server.approval === 'boolean' ? server.approval : server.approval.has(name),
    execute: async (args, context): Promise<Json> => {
      const progress = paced((text) => context.progress(shortened(`${name}: ${text}`, MAX_PROGRESS)));
      return resultOf(await call(name, args as JsonObject, { signal: context.signal, progress }));
    },
  };
}

/** Lets one through, and the next after a while; what comes between is old by then. */
function paced(tell: (text: string) => void): (text: string) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (text) => {
    const now = performance.now();
    if (now - last < PROGRESS_PAUSE_MS) return;
    last = now;
    tell(text);
  };
}
