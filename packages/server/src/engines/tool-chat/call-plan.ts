import type { Json, Message, RequestKind } from '@llmgine/protocol';
import type { ModelToolCall } from '../../models/types.ts';
import type { ToolDefinition } from '../../tools/types.ts';
import { fieldErrors } from '../../validation.ts';
import type { EngineContext, InputAnswer, InputQuestion } from '../types.ts';
import { failure, resultOf, type ToolOutcome } from './tool-execution.ts';
import type { Toolbox } from './toolbox.ts';

/** What there is to do about one call. */
export type CallPlan = { readonly call: ModelToolCall } & (
  | { readonly do: 'settle'; readonly outcome: ToolOutcome }
  | { readonly do: 'execute'; readonly tool: ToolDefinition; readonly args: unknown }
  /** Somebody has to be asked. */
  | { readonly do: 'ask'; readonly on: RequestKind; readonly question: InputQuestion }
  /** Somebody has been asked, and has not answered. */
  | { readonly do: 'wait'; readonly on: RequestKind }
);

/** What has happened to a call already, maybe in a process that is gone. */
export interface CallPast {
  /** It may have run. */
  readonly started: boolean;
  wasAsked(kind: RequestKind): boolean;
}

const UNKNOWN =
  'The outcome is unknown: the server stopped while the tool may have been running. It was not executed again.';

/** Decides about a call that has no result: it is refused, asks somebody, or is executed. Emits nothing. */
export async function planCall(
  context: EngineContext,
  toolbox: Toolbox,
  answer: Message,
  call: ModelToolCall,
  past: CallPast,
): Promise<CallPlan> {
  const settle = (outcome: ToolOutcome): CallPlan => ({ do: 'settle', call, outcome });
  const ask = async (
    question: InputQuestion,
    next: (answer: InputAnswer) => CallPlan | Promise<CallPlan>,
  ): Promise<CallPlan> => {
    const on = question.kind;
    if (!past.wasAsked(on)) return { do: 'ask', call, on, question };
    const given = await context.request(question);
    return given ? next(given) : { do: 'wait', call, on };
  };
  const tool = toolbox.find(call.toolName);
  if (!tool) {
    return settle(failure(`There is no tool "${call.toolName}"; there are: ${toolbox.names.join(', ')}`));
  }
  const isOurs = !tool.client && !tool.form;
  // It was approved, if it had to be, before it was started.
  if (past.started && isOurs && tool.idempotent !== true) return settle(failure(UNKNOWN));
  const parsed = tool.parameters.safeParse(call.arguments);
  if (!parsed.success) {
    const errors = fieldErrors(parsed.error).map(({ path, message }) =>
      path ? `${path}: ${message}` : message,
    );
    return settle(failure(`The arguments are not valid: ${errors.join('; ')}`));
  }
  const act = (): CallPlan | Promise<CallPlan> => {
    if (isOurs) return { do: 'execute', call, tool, args: parsed.data };
    if (!tool.form) return ask(clientCallOf(answer, call, tool), (given) => settle(clientOutcome(given)));
    try {
      return ask(formOf(answer, call, tool, parsed.data), (given) => settle(formOutcome(given)));
    } catch (error) {
      return settle(failure(`The form cannot be made: ${(error as Error).message}`));
    }
  };
  // Once somebody was asked, the answer counts, whatever would be decided now.
  const needed =
    past.wasAsked('approval') ||
    (!past.started &&
      (toolbox.wantsApproval(tool) || (await needsApproval(context, tool, call, parsed.data))));
  if (!needed) return act();
  return ask(approvalOf(answer, call), (given) =>
    given.outcome === 'approved' ? act() : settle(refusal(given)),
  );
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

function formOf(answer: Message, call: ModelToolCall, tool: ToolDefinition, args: unknown): InputQuestion {
  const { form, timeoutMs } = tool;
  if (!form) throw new TypeError('there is none');
  const { prompt, schema } = form(args);
  return {
    ...questionOf(answer, call),
    kind: 'form',
    prompt,
    schema,
    ...(timeoutMs === undefined ? {} : { expiresIn: timeoutMs / 1000 }),
  };
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

function formOutcome({ outcome, value, reason, waitedMs }: InputAnswer): ToolOutcome {
  if (outcome === 'submitted') return resultOf(value, waitedMs);
  if (outcome === 'expired') return failure('Nobody answered in time.', waitedMs);
  return failure(`The user would not answer.${reason ? ` Reason: ${reason}` : ''}`, waitedMs);
}

function clientOutcome({ outcome, value, reason, waitedMs }: InputAnswer): ToolOutcome {
  if (outcome === 'submitted') return resultOf(value, waitedMs);
  if (outcome === 'expired') return failure('No client executed the tool in time.', waitedMs);
  return failure(reason ?? 'The client could not execute the tool.', waitedMs);
}
