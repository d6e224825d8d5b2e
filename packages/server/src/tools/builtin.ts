import { calculateTool } from './calculate.ts';
import { currentTimeTool } from './current-time.ts';
import type { ToolDefinition } from './types.ts';

export const BUILTIN_TOOLS: readonly ToolDefinition[] = [calculateTool, currentTimeTool];
