import { ApiError } from '@llmgine/protocol';
import { z } from 'zod';
import type { ToolSpec } from '../models/types.ts';
import { jsonSchemaOf } from '../validation.ts';
import { groupPrefix, groupToolNames } from './group-names.ts';
import type { ToolDefinition } from './types.ts';

const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** Of tools that a group does not have any more. */
const MAX_REMEMBERED = 1000;

interface Entry {
  readonly tool: ToolDefinition;
  readonly spec: ToolSpec;
}

/** Tools that come and go together, for example those of an MCP server. */
interface Group {
  readonly prefix: string;
  /** Null while it is not there. */
  tools: ReadonlyMap<string, Entry> | null;
  /** Names that it has had. */
  readonly remembered: Set<string>;
}

/** The tools of one application, by name. */
export class ToolRegistry {
  readonly #tools = new Map<string, Entry>();
  readonly #groups = new Map<string, Group>();
  #settled: Promise<unknown> = Promise.resolve();

  /** Throws when the name is not one that providers accept, or is taken. */
  register(tool: ToolDefinition): void {
    if (!TOOL_NAME.test(tool.name)) {
      throw new TypeError(`Tool name ${JSON.stringify(tool.name)} must match ${TOOL_NAME.source}`);
    }
    if (this.#find(tool.name)) throw new TypeError(`There is a tool ${JSON.stringify(tool.name)} already`);
    this.#tools.set(tool.name, entryOf(tool));
  }

  /** Says that there is such a group, although it may not be there now. Groups keep the order in which they were declared. */
  declareGroup(group: string): void {
    if (this.#groups.has(group)) return;
    this.#groups.set(group, { prefix: groupPrefix(group), tools: null, remembered: new Set() });
  }

  /**
   * Replaces the tools of a group, all at once. They are given with their own names and are found as `GROUP__TOOL`, with
   * what providers do not accept replaced, and with a hash where that is too long or taken.
   */
  setGroup(group: string, tools: readonly ToolDefinition[]): void {
    this.declareGroup(group);
    const state = this.#groups.get(group) as Group;
    state.tools = null;
    const names = groupToolNames(
      group,
      tools.map(({ name }) => name),
      (name) => this.#find(name) !== undefined,
    );
    const entries = new Map<string, Entry>();
    for (const tool of tools) {
      const name = names.get(tool.name);
      if (name !== undefined && !entries.has(name)) entries.set(name, entryOf({ ...tool, name }));
    }
    state.tools = entries;
    if (state.remembered.size > MAX_REMEMBERED) state.remembered.clear();
    for (const name of entries.keys()) state.remembered.add(name);
  }

  /** Takes the tools of a group away until it is set again. A call to one of them is told so. */
  removeGroup(group: string): void {
    const state = this.#groups.get(group);
    if (state) state.tools = null;
  }

  /** Says that groups are on their way until the promise has resolved. */
  expectGroups(arrived: Promise<unknown>): void {
    this.#settled = arrived;
  }

  /** Resolves when no group is on its way. */
  async settled(): Promise<void> {
    await this.#settled;
  }

  /** Of a group that is not there, a tool that only says so. */
  get(name: string): ToolDefinition | undefined {
    const entry = this.#find(name);
    if (entry) return entry.tool;
    const [group] =
      [...this.#groups].find(([, { tools, prefix }]) => !tools && name.startsWith(prefix)) ?? [];
    return group === undefined ? undefined : unavailable(name, group);
  }

  get names(): readonly string[] {
    return this.#entries().map(({ tool }) => tool.name);
  }

  /**
   * What a model is told of these tools, by default of all that are not `optIn`. `GROUP__*` means all of a group. A tool of
   * a group that is not there now, or has lost it, is left out: whoever named it has to go on without. Throws
   * `VALIDATION_ERROR` for an unknown one.
   */
  specs(names?: readonly string[]): readonly ToolSpec[] {
    if (names === undefined) {
      return this.#entries()
        .filter(({ tool }) => tool.optIn !== true)
        .map(({ spec }) => spec);
    }
    return [...new Set(names.flatMap((name) => this.#named(name)))];
  }

  #named(name: string): readonly ToolSpec[] {
    const entry = this.#find(name);
    if (entry) return [entry.spec];
    for (const [group, { prefix, tools, remembered }] of this.#groups) {
      if (name === `${prefix}*` || name === `${group}__*`) {
        return [...(tools?.values() ?? [])].map(({ spec }) => spec);
      }
      if (remembered.has(name) || (!tools && name.startsWith(prefix))) return [];
    }
    throw new ApiError('VALIDATION_ERROR', `There is no tool "${name}"; there are: ${this.names.join(', ')}`);
  }

  #find(name: string): Entry | undefined {
    const own = this.#tools.get(name);
    if (own) return own;
    for (const { tools } of this.#groups.values()) {
      const entry = tools?.get(name);
      if (entry) return entry;
    }
    return undefined;
  }

  #entries(): readonly Entry[] {
    const groups = [...this.#groups.values()].flatMap(({ tools }) => [...(tools?.values() ?? [])]);
    return [...this.#tools.values(), ...groups];
  }
}

function entryOf(tool: ToolDefinition): Entry {
  const { name, description, parameters, jsonSchema } = tool;
  return { tool, spec: { name, description, parameters: jsonSchema ?? jsonSchemaOf(parameters) } };
}

/** It asks nobody and executes nothing, whatever the tool itself would do. */
function unavailable(name: string, group: string): ToolDefinition {
  return {
    name,
    description: `Not available: "${group}" is not connected`,
    parameters: z.unknown(),
    execute: () => {
      throw new Error(
        `"${group}", which has this tool, is not connected now; the call was not executed. Go on without it.`,
      );
    },
  };
}
