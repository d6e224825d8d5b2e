import type { Json } from '@llmgine/protocol';
import type { ModelToolCall } from '../../models/types.ts';
import { untilAborted } from '../../models/until-aborted.ts';
import { shortened } from '../../tools/cut-text.ts';
import type { ToolDefinition } from '../../tools/types.ts';
import { isShallow } from '../json-depth.ts';
import type { EngineContext } from '../types.ts';

/** Characters of JSON that a tool may give back. */
const MAX_RESULT_LENGTH = 100_000;

export interface ToolOutcome {
  readonly result: Json;
  readonly isError: boolean;
  readonly durationMs: number;
}

/**
 * Executes one call with arguments that are valid. What goes wrong in the tool becomes an error result, for the model;
 * only the end of the run rejects.
 */
export async function executeTool(
  context: EngineContext,
  tool: ToolDefinition,
  call: ModelToolCall,
  args: unknown,
  timeoutMs: number,
): Promise<ToolOutcome> {
  const began = performance.now();
  const outcome = await attempt(context, tool, call, args, timeoutMs);
  context.signal.throwIfAborted();
  return { ...outcome, durationMs: Math.round(performance.now() - began) };
}

async function attempt(
  context: EngineContext,
  tool: ToolDefinition,
  call: ModelToolCall,
  args: unknown,
  timeoutMs: number,
): Promise<ToolOutcome> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Error(`timed out after ${timeoutMs} ms`)), timeoutMs);
  const signal = AbortSignal.any([context.signal, deadline.signal]);
  try {
    const work = tool.execute?.(args, {
      sessionId: context.sessionId,
      runId: context.runId,
      toolCallId: call.toolCallId,
      principal: context.principal,
      signal,
      progress: (text) => void context.emit({ event_type: 'status', payload: { text } }),
    });
    // A tool that ignores its signal does not hold the run.
    return resultOf(await untilAborted(Promise.resolve(work), signal));
  } catch (error) {
    context.signal.throwIfAborted();
    context.logger.warn({ tool: call.toolName, err: error }, 'tool failed');
    return failure(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** What a tool gave back, as the model gets it: of a text that is too long the beginning; half of anything else would be wrong. */
export function resultOf(result: unknown, durationMs = 0): ToolOutcome {
  if (typeof result === 'string') {
    return { result: shortened(result, MAX_RESULT_LENGTH), isError: false, durationMs };
  }
  const text = JSON.stringify(result) ?? 'null';
  if (text.length > MAX_RESULT_LENGTH) {
    return failure(
      `The result has ${text.length} characters; at most ${MAX_RESULT_LENGTH} are allowed`,
      durationMs,
    );
  }
  const value = JSON.parse(text) as Json;
  if (!isShallow(value)) return failure('The result is nested too deeply', durationMs);
  return { result: value, isError: false, durationMs };
}

export function failure(message: string, durationMs = 0): ToolOutcome {
  return { result: { error: message }, isError: true, durationMs };
}
