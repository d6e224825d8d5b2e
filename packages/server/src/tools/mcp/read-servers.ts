/** The MCP servers that a configuration names. */
import { readFileSync } from 'node:fs';
import type { APIConfig, ConfigError } from '../../config.ts';
import { isObject } from '../../validation/is-object.ts';
import { groupPrefix } from '../group-names.ts';
import { type McpServerConfig, readEntry } from './server-config.ts';

export interface McpServerList {
  readonly servers: readonly McpServerConfig[];
  readonly disabled: readonly string[];
  /** What was left out, one line each. */
  readonly warnings: readonly string[];
}

interface Source {
  readonly entries: Readonly<Record<string, unknown>>;
  readonly refuse: (reason: string) => ConfigError;
}

/** The servers of `mcpServers` and those of the file that `mcpConfig` names. Throws `ConfigError` for the first mistake. */
export function readMcpServers(config: APIConfig): McpServerList {
  const sources = [fromSetting(config), ...fromFile(config)];
  const servers: McpServerConfig[] = [];
  const disabled: string[] = [];
  const warnings: string[] = [];
  /** Names by what the names of their tools begin with. */
  const taken = new Map<string, string>();
  for (const { entries, refuse } of sources) {
    for (const [name, value] of Object.entries(entries)) {
      const label = `the MCP server ${JSON.stringify(name)}`;
      if (name === '') throw refuse('a server in it has no name');
      const prefix = groupPrefix(name);
      // A tool called `b__c` of `a` must not pass for the tool `c` of `a__b`, also while that is not there.
      const other = [...taken].find(([one]) => one.startsWith(prefix) || prefix.startsWith(one))?.[1];
      if (other === name) throw refuse(`${label} is in mcpServers already`);
      if (other !== undefined) {
        throw refuse(`the tools of ${label} would be called like those of ${JSON.stringify(other)}`);
      }
      taken.set(prefix, name);
      try {
        const { server, unknown } = readEntry(name, value, (variable) => config.variable(variable));
        if (server) servers.push(server);
        else disabled.push(name);
        if (unknown.length > 0) {
          warnings.push(`${label} has fields that mean nothing here and are ignored: ${unknown.join(', ')}`);
        }
      } catch (error) {
        throw refuse(`${label} ${(error as Error).message}`);
      }
    }
  }
  return { servers, disabled, warnings };
}

function fromSetting(config: APIConfig): Source {
  const { mcpServers } = config.values;
  return { entries: unwrapped(mcpServers), refuse: (reason) => config.refuse('mcpServers', reason) };
}

/** People copy what is in the files of other programs, with the name around it. */
function unwrapped(entries: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { mcpServers: inner, ...others } = entries;
  const isWrapped =
    isObject(inner) && Object.keys(others).length === 0 && !('command' in inner || 'url' in inner);
  return isWrapped ? inner : entries;
}

function fromFile(config: APIConfig): readonly Source[] {
  const path = config.values.mcpConfig;
  if (path === undefined) return [];
  const refuse = (reason: string) => config.refuse('mcpConfig', reason);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw refuse(`that file cannot be read: ${(error as Error).message}`);
  }
  const entries = serversOf(text);
  if (!entries) throw refuse('that file does not hold JSON like {"mcpServers": {"NAME": {…}}}');
  return [{ entries, refuse }];
}

/** Nothing of the text is shown: it may hold secrets. */
function serversOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const { mcpServers } = JSON.parse(text) as { mcpServers?: unknown };
    return isObject(mcpServers) ? mcpServers : undefined;
  } catch {
    return undefined;
  }
}
