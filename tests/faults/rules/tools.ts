/** A tool call has one result, and one effect unless the tool says that more do no harm. */
import type { SessionEvent } from '@llmgine/protocol';
import { eventsByRun, type Facts, requestsOf, type SessionFacts } from '../facts.ts';
import type { ToolExecution } from '../history.ts';

export function* toolsHaveOneEffect({ history, sessions }: Facts): Iterable<string> {
  const executions = new Map<string, ToolExecution[]>();
  for (const execution of history.executions) {
    const key = `${execution.run_id} ${execution.tool_call_id}`;
    executions.set(key, [...(executions.get(key) ?? []), execution]);
  }
  for (const [key, times] of executions) {
    const [first] = times;
    if (times.length > 1 && !first?.idempotent)
      yield `run ${key} (${first?.tool}) was executed ${times.length} times`;
  }
  const counted = new Set(history.executions.map(({ tool }) => tool));
  const known = new Set<string>();
  for (const session of sessions.values()) {
    for (const [runId, events] of eventsByRun(session)) {
      for (const id of callsOf(events).keys()) known.add(`${runId} ${id}`);
      const executed = (id: string, tool: string) => !counted.has(tool) || executions.has(`${runId} ${id}`);
      yield* results(`${session.session}: run ${runId}`, events, executed);
      yield* givenUp(`${session.session}: run ${runId}`, events, counted, refusedCalls(session, runId));
    }
  }
  for (const [key, [first]] of executions) {
    if (!known.has(key)) yield `run ${key} (${first?.tool}) was executed, and no log knows of it`;
  }
}

/** Names by call. The message that asks for a tool is durable before the call is. */
function callsOf(events: readonly SessionEvent[]): Map<string, string> {
  const calls = new Map<string, string>();
  for (const event of events) {
    if (event.event_type === 'tool_call') calls.set(event.payload.tool_call_id, event.payload.tool_name);
    if (event.event_type !== 'message_completed') continue;
    for (const part of event.payload.parts) {
      if (part.type === 'tool_call') calls.set(part.tool_call_id, part.tool_name);
    }
  }
  return calls;
}

function* results(
  run: string,
  events: readonly SessionEvent[],
  executed: (toolCallId: string, tool: string) => boolean,
): Iterable<string> {
  const calls = callsOf(events);
  const begun = new Set<string>();
  const answered = new Set<string>();
  for (const event of events) {
    if (event.event_type === 'tool_call') begun.add(event.payload.tool_call_id);
    if (event.event_type === 'tool_result') {
      const { tool_call_id: id, is_error: isError } = event.payload;
      const tool = calls.get(id);
      if (tool === undefined) yield `${run} has a result of tool call ${id}, which was never made`;
      else if (!isError && !executed(id, tool))
        yield `${run} has a result of ${tool} (${id}), which was not executed`;
      if (answered.has(id)) yield `${run} has two results of tool call ${id}`;
      answered.add(id);
    }
    if (event.event_type === 'run_finished' && event.payload.status === 'completed') {
      for (const id of begun) {
        if (!answered.has(id)) yield `${run} completes without a result of tool call ${id}`;
      }
    }
  }
}

/** Calls that somebody decided not to execute, or nobody decided about. */
function refusedCalls(session: SessionFacts, runId: string): Set<string | undefined> {
  const refused = [...requestsOf(session).values()].filter((asked) => {
    const outcome = asked.resolved?.outcome;
    return asked.runId === runId && outcome !== 'approved' && outcome !== 'submitted';
  });
  return new Set(refused.map(({ question }) => question.tool_call_id));
}

/** What nobody refused is executed; its outcome is unknown only when the run was interrupted meanwhile, which it says. */
function* givenUp(
  run: string,
  events: readonly SessionEvent[],
  counted: ReadonlySet<string>,
  refused: ReadonlySet<string | undefined>,
): Iterable<string> {
  const calls = callsOf(events);
  const begun = new Map<string, number>();
  let interruptedAt = -1;
  for (const event of events) {
    if (event.event_type === 'tool_call') begun.set(event.payload.tool_call_id, event.seq);
    if (event.event_type === 'status') interruptedAt = event.seq;
    if (event.event_type !== 'tool_result' || !event.payload.is_error) continue;
    const { tool_call_id: id } = event.payload;
    const tool = calls.get(id) ?? '';
    if (!counted.has(tool) || refused.has(id) || interruptedAt > (begun.get(id) ?? event.seq)) continue;
    yield `${run} gave up ${tool} (${id}), which nobody refused, without an interruption`;
  }
}
