import { onTestFinished } from 'vitest';
import type { ToolContext } from '../../src/tools/types.ts';

/** A call that nobody cancels, unless the test does. */
export function toolContext(signal: AbortSignal = new AbortController().signal): ToolContext {
  return {
    sessionId: 'ses_1',
    runId: 'run_1',
    toolCallId: 'call_1',
    principal: { id: 'somebody', tenantId: 'default' },
    signal,
    progress: () => {},
  };
}

/** Closes what a test has made, when it ends. */
export function closing<T extends { close(): Promise<unknown> }>(resource: T): T {
  onTestFinished(async () => void (await resource.close()));
  return resource;
}
