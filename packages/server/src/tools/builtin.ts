import { askUserTool } from './ask-user.ts';
import { createCalculateTool, createCalculator } from './calculate.ts';
import { currentTimeTool } from './current-time.ts';
import { createFetchUrlTool, createPageReader } from './fetch-url/tool.ts';
import type { ToolDefinition } from './types.ts';

export interface BuiltinTools {
  readonly tools: readonly ToolDefinition[];
  /** Ends the threads that they work in. */
  close(): Promise<void>;
}

/** The tools of one application. Their threads are started by the first calls that need them. */
export function createBuiltinTools(): BuiltinTools {
  const calculator = createCalculator();
  const reader = createPageReader();
  return {
    tools: [createCalculateTool(calculator), currentTimeTool, askUserTool, createFetchUrlTool({ reader })],
    async close() {
      await Promise.all([calculator.close(), reader.close()]);
    },
  };
}
