import { ApiError } from '@llmgine/protocol';
import type { ToolSpec } from '../models/types.ts';
import { jsonSchemaOf } from '../validation.ts';
import type { ToolDefinition } from './types.ts';

const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The tools of one application, by name. */
export class ToolRegistry {
  readonly #tools = new Map<string, ToolDefinition>();
  readonly #specs = new Map<string, ToolSpec>();

  /** Throws when the name is not one that providers accept, or is taken. */
  register(tool: ToolDefinition): void {
    if (!TOOL_NAME.test(tool.name)) {
      throw new TypeError(`Tool name ${JSON.stringify(tool.name)} must match ${TOOL_NAME.source}`);
    }
    if (this.#tools.has(tool.name))
      throw new TypeError(`There is a tool ${JSON.stringify(tool.name)} already`);
    this.#tools.set(tool.name, tool);
    this.#specs.set(tool.name, {
      name: tool.name,
      description: tool.description,
      parameters: jsonSchemaOf(tool.parameters),
    });
  }

  get(name: string): ToolDefinition | undefined {
    return this.#tools.get(name);
  }

  get names(): readonly string[] {
    return [...this.#tools.keys()];
  }

  /** What a model is told of these tools, all of them by default. Throws `VALIDATION_ERROR` for an unknown one. */
  specs(names: readonly string[] = this.names): readonly ToolSpec[] {
    return names.map((name) => {
      const spec = this.#specs.get(name);
      if (!spec)
        throw new ApiError(
          'VALIDATION_ERROR',
          `There is no tool "${name}"; there are: ${this.names.join(', ')}`,
        );
      return spec;
    });
  }
}
