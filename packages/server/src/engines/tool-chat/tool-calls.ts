import { randomUUID } from 'node:crypto';
import type { Message, MessagePart } from '@llmgine/protocol';
import type { ModelToolCall } from '../../models/types.ts';
import type { ToolRegistry } from '../../tools/registry.ts';
import type { EngineContext } from '../types.ts';
import { type CallPlan, planCall } from './call-plan.ts';
import { executeTool, type ToolOutcome } from './tool-execution.ts';
import { toolRecord } from './tool-record.ts';

/** The calls that a message of the assistant asks for. */
export function toolCallsOf(message: Message): readonly ModelToolCall[] {
  return message.parts
    .filter((part) => part.type === 'tool_call')
    .map((part) => ({ toolCallId: part.tool_call_id, toolName: part.tool_name, arguments: part.arguments }));
}

/**
 * Sees to it that every call of one step has its result, and appends them as one `tool` message. Calls are executed side
 * by side; what is asked of people is asked before, so that they can answer meanwhile, and when nothing is left to do but
 * wait, the run is parked. What goes wrong in a tool goes back to the model as an error result; only the end of the run
 * ends the calls.
 *
 * A call is in the log before it is executed, and its result before anything follows from it. So whoever continues the run
 * knows which calls have a result, which may have run, and which have not.
 */
export async function callTools(
  context: EngineContext,
  registry: ToolRegistry,
  answer: Message,
  calls: readonly ModelToolCall[],
): Promise<Message> {
  const record = await toolRecord(context, answer);
  const outcomes = new Map(record.outcomes);
  const started = new Set(record.started);
  for (;;) {
    const open = calls.filter(({ toolCallId }) => !outcomes.has(toolCallId));
    const plans: CallPlan[] = [];
    for (const call of open) {
      plans.push(await planCall(context, registry, answer, call, record.started.has(call.toolCallId)));
    }
    const settle = (call: ModelToolCall, outcome: ToolOutcome) => {
      announce(context, call, started);
      outcomes.set(call.toolCallId, outcome);
      context.emit({ event_type: 'tool_result', payload: resultEvent(call, outcome) });
    };
    for (const plan of plans) {
      if (plan.do === 'settle') settle(plan.call, plan.outcome);
      // A client has begun, or will soon.
      if (plan.do === 'execute' || (plan.do === 'wait' && plan.inClient))
        announce(context, plan.call, started);
    }
    await context.drain();
    const executing = plans.filter((plan) => plan.do === 'execute');
    await Promise.all(
      executing.map(async ({ tool, call, args }) =>
        settle(call, await executeTool(context, tool, call, args)),
      ),
    );
    if (plans.every((plan) => plan.do !== 'wait')) break;
    await context.park();
  }
  const message = toolMessage(context, calls, outcomes);
  context.emit({ event_type: 'message_completed', payload: message });
  return message;
}

/** Says once that a call is executed. */
function announce(context: EngineContext, call: ModelToolCall, started: Set<string>): void {
  if (started.has(call.toolCallId)) return;
  started.add(call.toolCallId);
  context.emit({
    event_type: 'tool_call',
    payload: { tool_call_id: call.toolCallId, tool_name: call.toolName, arguments: call.arguments },
  });
}

function resultEvent({ toolCallId }: ModelToolCall, { result, isError, durationMs }: ToolOutcome) {
  return { tool_call_id: toolCallId, result, is_error: isError, duration_ms: durationMs };
}

function toolMessage(
  context: EngineContext,
  calls: readonly ModelToolCall[],
  outcomes: ReadonlyMap<string, ToolOutcome>,
): Message {
  return {
    message_id: `msg_${randomUUID()}`,
    role: 'tool',
    run_id: context.runId,
    parts: calls.map(({ toolCallId, toolName }): MessagePart => {
      const { result, isError } = outcomes.get(toolCallId) ?? { result: null, isError: true };
      return {
        type: 'tool_result',
        tool_call_id: toolCallId,
        tool_name: toolName,
        result,
        is_error: isError,
      };
    }),
    created_at: new Date().toISOString(),
    metadata: {},
  };
}
