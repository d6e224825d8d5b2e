import type { EventPayload, Json, Message, RequestKind } from '@llmgine/protocol';
import type { EngineContext } from '../types.ts';
import type { ToolOutcome } from './tool-execution.ts';

/** What the log has of the tool calls of one step. */
export interface ToolRecord {
  /** Calls that were executed, or were about to be. */
  readonly started: ReadonlySet<string>;
  readonly outcomes: ReadonlyMap<string, ToolOutcome>;
  /** What people were asked about, by `askedKey`. */
  readonly asked: ReadonlySet<string>;
}

/** Of an answer that this execution of the run has got. */
export const NO_RECORD: ToolRecord = { started: new Set(), outcomes: new Map(), asked: new Set() };

/** One call may ask for an approval first, and then for its result. */
export function askedKey(kind: RequestKind, toolCallId: string): string {
  return `${kind}:${toolCallId}`;
}

/** Servers use the same call ids in each step, so only what comes after the message with the calls is theirs. */
export async function toolRecord(context: EngineContext, answer: Message): Promise<ToolRecord> {
  const events = await context.recorded('message_completed', 'tool_call', 'tool_result', 'input_requested');
  const askedFor = events.findLastIndex(
    ({ event_type, payload }) =>
      event_type === 'message_completed' && payload.message_id === answer.message_id,
  );
  const started = new Set<string>();
  const outcomes = new Map<string, ToolOutcome>();
  const asked = new Set<string>();
  for (const { event_type, payload } of events.slice(askedFor + 1)) {
    const id = String(payload.tool_call_id);
    if (event_type === 'tool_call') started.add(id);
    if (event_type === 'input_requested') asked.add(askedKey(payload.kind as RequestKind, id));
    if (event_type !== 'tool_result') continue;
    const { result, is_error, duration_ms } = payload as EventPayload<'tool_result'> & { result: Json };
    outcomes.set(id, { result, isError: is_error, durationMs: duration_ms });
  }
  return { started, outcomes, asked };
}
