/** What `chaos-server.ts` and its tests agree on: the file in which tools count what they have done. */
import { existsSync, readFileSync } from 'node:fs';
import type { ToolExecution } from './history.ts';

/** Environment variable with the path of the file. */
export const EXECUTIONS_FILE = 'CHAOS_EXECUTIONS';
/** Milliseconds from the effect of a tool to its result. */
export const TOOL_DELAY = 'CHAOS_TOOL_DELAY';

export function readExecutions(path: string): ToolExecution[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ToolExecution);
}
