import { randomUUID } from 'node:crypto';
import type { Message, MessagePart } from '@llmgine/protocol';
import type { ModelToolCall } from '../../models/types.ts';
import type { EngineContext, InputQuestion } from '../types.ts';
import { type CallPast, type CallPlan, planCall } from './call-plan.ts';
import { runningText, waitingText } from './narration.ts';
import { sideBySide } from './side-by-side.ts';
import { executeTool, failure, type ToolOutcome } from './tool-execution.ts';
import { askedKey, type ToolRecord } from './tool-record.ts';
import type { Toolbox } from './toolbox.ts';

/** Calls of one answer that are executed; each is work, and events for everybody who watches. */
const MAX_CALLS = 64;
const TOO_MANY = `At most ${MAX_CALLS} tools can be called at once; this call was not executed.`;
const NO_TOOLS = 'No tool can be called any more in this run; this call was not executed.';

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
  toolbox: Toolbox,
  answer: Message,
  calls: readonly ModelToolCall[],
  record: ToolRecord,
): Promise<Message> {
  const outcomes = new Map(record.outcomes);
  const started = new Set(record.started);
  const asked = new Set(record.asked);
  const settle = (call: ModelToolCall, outcome: ToolOutcome) => {
    announce(context, call, started);
    outcomes.set(call.toolCallId, outcome);
    context.emit({ event_type: 'tool_result', payload: resultEvent(call, outcome) });
  };
  for (;;) {
    const plans: CallPlan[] = [];
    for (const [index, call] of calls.entries()) {
      const { toolCallId: id } = call;
      if (outcomes.has(id)) continue;
      const past: CallPast = {
        started: record.started.has(id),
        wasAsked: (kind) => asked.has(askedKey(kind, id)),
      };
      plans.push(
        index < MAX_CALLS
          ? await planCall(context, toolbox, answer, call, past)
          : { do: 'settle', call, outcome: failure(TOO_MANY) },
      );
    }
    const executing = plans.filter((plan) => plan.do === 'execute');
    const asking = plans.filter((plan) => plan.do === 'ask');
    const waiting = waitingText(plans);
    if (executing.length === 0 && asking.length > 0) tell(context, waiting);
    for (const { call, on, question } of asking) {
      // A client or a person will begin soon.
      if (on !== 'approval') announce(context, call, started);
      asked.add(askedKey(on, call.toolCallId));
      const failed = await ask(context, question);
      if (failed) settle(call, failed);
    }
    tell(context, runningText(plans));
    const first = executing.slice(0, toolbox.parallel);
    for (const plan of plans) {
      if (plan.do === 'settle') settle(plan.call, plan.outcome);
      if (plan.do === 'execute' && first.includes(plan)) announce(context, plan.call, started);
    }
    await sideBySide(executing, toolbox.parallel, async ({ tool, call, args }) => {
      announce(context, call, started);
      await context.drain();
      context.signal.throwIfAborted();
      settle(call, await executeTool(context, tool, call, args, toolbox.timeoutMs(tool)));
    });
    if (calls.every(({ toolCallId }) => outcomes.has(toolCallId))) break;
    if (executing.length > 0) tell(context, waiting);
    await context.park();
  }
  const message = toolMessage(context, calls, outcomes);
  context.emit({ event_type: 'message_completed', payload: message });
  return message;
}

/** Gives the calls of an answer after which there are no tools the result that they need in the conversation. */
export function refuseCalls(context: EngineContext, calls: readonly ModelToolCall[]): Message {
  const outcomes = new Map(calls.map(({ toolCallId }) => [toolCallId, failure(NO_TOOLS)]));
  const message = toolMessage(context, calls, outcomes);
  context.emit({ event_type: 'message_completed', payload: message });
  return message;
}

/** The model has a part in what is asked, so what cannot be asked is its mistake and not the end of the run. */
async function ask(context: EngineContext, question: InputQuestion): Promise<ToolOutcome | null> {
  try {
    await context.request(question);
    return null;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof TypeError)) throw error;
    context.logger.warn({ tool: question.toolName, err: error }, 'a question could not be asked');
    return failure(`Nobody could be asked: ${error.message}`);
  }
}

function tell(context: EngineContext, text: string | null): void {
  if (text !== null) context.emit({ event_type: 'status', payload: { text } });
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
