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
/** More is nothing that anybody writes, and too much for what walks through it. */
const MAX_DEPTH = 64;
/** Of one server: tools, and characters of what a model is told of them with every request. */
const MAX_TOOLS = 512;
const MAX_TOTAL = 500_000;
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
  const usable = allowed.filter(({ inputSchema }) => isUsable(inputSchema));
  if (usable.length < allowed.length) {
    notes.push(
      `tools whose schema has more than ${MAX_SCHEMA} characters or ${MAX_DEPTH} levels were left out`,
    );
  }
  const tools = firstOf(usable).map((tool) => toolOf(server, tool, call));
  if (tools.length < usable.length) {
    notes.push(`only the first ${tools.length} of ${usable.length} tools are used; choose with allowedTools`);
  }
  return { tools, notes };
}

function isUsable(schema: Tool['inputSchema']): boolean {
  return !isDeeper(schema, MAX_DEPTH) && JSON.stringify(schema).length <= MAX_SCHEMA;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

/** As many as a model can be told of. */
function firstOf(tools: readonly Tool[]): readonly Tool[] {
  let total = 0;
  const end = tools.findIndex(({ name, description = '', inputSchema }, n) => {
    total += name.length + Math.min(description.length, MAX_DESCRIPTION) + JSON.stringify(inputSchema).length;
    return n === MAX_TOOLS || total > MAX_TOTAL;
  });
  return end === -1 ? tools : tools.slice(0, end);
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
