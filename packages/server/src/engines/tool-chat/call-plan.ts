import type { Json, Message } from '@llmgine/protocol';
import type { ModelToolCall } from '../../models/types.ts';
import type { ToolRegistry } from '../../tools/registry.ts';
import type { ToolDefinition } from '../../tools/types.ts';
import { fieldErrors } from '../../validation.ts';
import type { EngineContext, InputAnswer, InputQuestion } from '../types.ts';
import { failure, resultOf, type ToolOutcome } from './tool-execution.ts';

/** What there is to do about one call. */
export type CallPlan = { readonly call: ModelToolCall } & (
  | { readonly do: 'settle'; readonly outcome: ToolOutcome }
  | { readonly do: 'execute'; readonly tool: ToolDefinition; readonly args: unknown }
  /** Somebody has been asked. */
  | { readonly do: 'wait'; readonly inClient: boolean }
);

const UNKNOWN =
  'The outcome is unknown: the server stopped while the tool may have been running. It was not executed again.';

/**
 * Decides about a call that has no result: it is refused, asks somebody, or is executed. `started`: it may have run
 * already, in a process that died.
 */
export async function planCall(
  context: EngineContext,
  registry: ToolRegistry,
  answer: Message,
  call: ModelToolCall,
  started: boolean,
): Promise<CallPlan> {
  const settle = (outcome: ToolOutcome): CallPlan => ({ do: 'settle', call, outcome });
  const tool = registry.get(call.toolName);
  if (!tool) {
    return settle(failure(`There is no tool "${call.toolName}"; there are: ${registry.names.join(', ')}`));
  }
  if (started && !tool.client) {
    // It was approved, if it had to be, before it was started.
    if (tool.idempotent !== true) return settle(failure(UNKNOWN));
  }
  const parsed = tool.parameters.safeParse(call.arguments);
  if (!parsed.success) {
    const errors = fieldErrors(parsed.error).map(({ path, message }) =>
      path ? `${path}: ${message}` : message,
    );
    return settle(failure(`The arguments are not valid: ${errors.join('; ')}`));
  }
  if (!started && (await needsApproval(context, tool, call, parsed.data))) {
    const approval = await context.request(approvalOf(answer, call));
    if (!approval) return { do: 'wait', call, inClient: false };
    if (approval.outcome !== 'approved') return settle(refusal(approval));
  }
  if (!tool.client) return { do: 'execute', call, tool, args: parsed.data };
  const result = await context.request(clientCallOf(answer, call, tool));
  return result ? settle(clientOutcome(result)) : { do: 'wait', call, inClient: true };
}

/** A decision that fails is no permission. */
async function needsApproval(
  context: EngineContext,
  { approval = false }: ToolDefinition,
  { toolCallId }: ModelToolCall,
  args: unknown,
): Promise<boolean> {
  if (typeof approval === 'boolean') return approval;
  const { sessionId, runId, principal } = context;
  try {
    return await approval(args, { sessionId, runId, toolCallId, principal });
  } catch (error) {
    context.logger.warn({ err: error, tool_call_id: toolCallId }, 'the decision about an approval failed');
    return true;
  }
}

function approvalOf(answer: Message, call: ModelToolCall): InputQuestion {
  return { ...questionOf(answer, call), kind: 'approval', prompt: `May "${call.toolName}" be called?` };
}

function clientCallOf(answer: Message, call: ModelToolCall, tool: ToolDefinition): InputQuestion {
  return {
    ...questionOf(answer, call),
    kind: 'client_tool',
    prompt: tool.description,
    ...(tool.result ? { schema: tool.result } : {}),
    ...(tool.timeoutMs === undefined ? {} : { expiresIn: tool.timeoutMs / 1000 }),
  };
}

/** Servers use the same call ids in each step, so the message with the call is part of the key. */
function questionOf({ message_id }: Message, { toolCallId, toolName, arguments: args }: ModelToolCall) {
  return { key: `${message_id}:${toolCallId}`, toolCallId, toolName, arguments: args as Json };
}

function refusal({ outcome, reason }: InputAnswer): ToolOutcome {
  if (outcome === 'expired') return failure('Nobody approved the call in time; it was not executed.');
  return failure(`The call was denied; it was not executed.${reason ? ` Reason: ${reason}` : ''}`);
}

function clientOutcome({ outcome, value, reason, waitedMs }: InputAnswer): ToolOutcome {
  if (outcome === 'submitted') return resultOf(value, waitedMs);
  if (outcome === 'expired') return failure('No client executed the tool in time.', waitedMs);
  return failure(reason ?? 'The client could not execute the tool.', waitedMs);
}
