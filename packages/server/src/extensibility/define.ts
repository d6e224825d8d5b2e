import type { z } from 'zod';
import type { EngineDefinition } from '../engines/types.ts';
import type { ToolDefinition } from '../tools/types.ts';

/** Types an engine by its configuration schema. */
export function defineEngine<Config extends z.ZodType>(
  definition: EngineDefinition<Config>,
): EngineDefinition<Config> {
  return Object.freeze({ ...definition });
}

/** Types a tool by its parameter schema. */
export function defineTool<Schema extends z.ZodType>(tool: ToolDefinition<Schema>): ToolDefinition<Schema> {
  return Object.freeze({ ...tool });
}
