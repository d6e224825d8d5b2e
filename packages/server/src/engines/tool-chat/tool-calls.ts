import { randomUUID } from 'node:crypto';
import type { Json, Message, MessagePart } from '@llmgine/protocol';
import type { ModelToolCall } from '../../models/types.ts';
import type { ToolRegistry } from '../../tools/registry.ts';
import { fieldErrors } from '../../validation.ts';
import type { EngineContext } from '../types.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
/** Characters of JSON that a tool may give back. */
const MAX_RESULT_LENGTH = 100_000;

interface Outcome {
  readonly result: Json;
  readonly isError: boolean;
}

/**
 * Executes the calls of one step side by side and appends their results as one `tool` message. What goes wrong in a tool
 * goes back to the model as an error result; only the end of the run ends the calls.
 */
export async function callTools(
  context: EngineContext,
  registry: ToolRegistry,
  calls: readonly ModelToolCall[],
): Promise<Message> {
  for (const call of calls) {
    context.emit({
      event_type: 'tool_call',
      payload: { tool_call_id: call.toolCallId, tool_name: call.toolName, arguments: call.arguments },
    });
  }
  const parts = await Promise.all(
    calls.map(async (call): Promise<MessagePart> => {
      const began = performance.now();
      const { result, isError } = await execute(context, registry, call);
      context.signal.throwIfAborted();
      context.emit({
        event_type: 'tool_result',
        payload: {
          tool_call_id: call.toolCallId,
          result,
          is_error: isError,
          duration_ms: Math.round(performance.now() - began),
        },
      });
      return {
        type: 'tool_result',
        tool_call_id: call.toolCallId,
        tool_name: call.toolName,
        result,
        is_error: isError,
      };
    }),
  );
  const message: Message = {
    message_id: `msg_${randomUUID()}`,
    role: 'tool',
    run_id: context.runId,
    parts,
    created_at: new Date().toISOString(),
    metadata: {},
  };
  context.emit({ event_type: 'message_completed', payload: message });
  return message;
}

async function execute(
  context: EngineContext,
  registry: ToolRegistry,
  call: ModelToolCall,
): Promise<Outcome> {
  const tool = registry.get(call.toolName);
  if (!tool) return failure(`There is no tool "${call.toolName}"; there are: ${registry.names.join(', ')}`);
  const parsed = tool.parameters.safeParse(call.arguments);
  if (!parsed.success) {
    const errors = fieldErrors(parsed.error).map(({ path, message }) =>
      path ? `${path}: ${message}` : message,
    );
    return failure(`The arguments are not valid: ${errors.join('; ')}`);
  }
  const timeoutMs = tool.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Error(`timed out after ${timeoutMs} ms`)), timeoutMs);
  const signal = AbortSignal.any([context.signal, deadline.signal]);
  try {
    const result = await untilAborted(
      Promise.resolve(
        tool.execute(parsed.data, {
          sessionId: context.sessionId,
          runId: context.runId,
          toolCallId: call.toolCallId,
          principal: context.principal,
          signal,
          progress: (text) => void context.emit({ event_type: 'status', payload: { text } }),
        }),
      ),
      signal,
    );
    const text = JSON.stringify(result) ?? 'null';
    if (text.length > MAX_RESULT_LENGTH) {
      return failure(`The result has ${text.length} characters; at most ${MAX_RESULT_LENGTH} are allowed`);
    }
    return { result: JSON.parse(text) as Json, isError: false };
  } catch (error) {
    context.signal.throwIfAborted();
    context.logger.warn({ tool: call.toolName, err: error }, 'tool failed');
    return failure(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

function failure(message: string): Outcome {
  return { result: { error: message }, isError: true };
}

/** A tool that ignores its signal does not hold the run. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
