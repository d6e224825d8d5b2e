/** What people decide counts once: the answer to a request is one that somebody gave, and who cancels stops the run. */
import type { Facts, SessionFacts } from '../facts.ts';
import type { Operation, ToolExecution } from '../history.ts';

/** Outcomes that the server gives by itself. */
const BY_SYSTEM: ReadonlySet<string> = new Set(['expired', 'cancelled']);

export function* cancelsAndAnswers({ history, sessions }: Facts): Iterable<string> {
  for (const session of sessions.values()) {
    const operations = history.operations.filter((operation) => operation.session === session.session);
    yield* answers(session, operations);
    yield* cancels(session, operations);
    yield* permissions(session, history.executions);
  }
}

/** What somebody had to approve was executed only if somebody did. */
function* permissions(session: SessionFacts, executions: readonly ToolExecution[]): Iterable<string> {
  const outcomes = new Map<string, string>();
  const calls = new Map<string, string>();
  for (const event of session.events) {
    if (event.event_type === 'input_resolved') outcomes.set(event.payload.request_id, event.payload.outcome);
    if (event.event_type !== 'input_requested' || event.payload.kind !== 'approval') continue;
    calls.set(`${event.run_id} ${event.payload.tool_call_id}`, event.payload.request_id);
  }
  for (const { run_id: runId, tool_call_id: id, tool } of executions) {
    const request = calls.get(`${runId} ${id}`);
    const outcome = request === undefined ? 'approved' : (outcomes.get(request) ?? 'pending');
    if (outcome !== 'approved') {
      yield `${session.session}: run ${runId} executed ${tool} (${id}), and its approval is ${outcome}`;
    }
  }
}

function* answers(session: SessionFacts, operations: readonly Operation[]): Iterable<string> {
  const given = operations.filter(({ kind }) => kind === 'answer');
  const outcomes = new Map<string, string>();
  for (const event of session.events) {
    if (event.event_type !== 'input_resolved') continue;
    const { request_id: id, outcome } = event.payload;
    outcomes.set(id, outcome);
    const byAnyone = given.some((answer) => {
      return answer.id === id && answer.outcome !== 'failed' && answer.body.outcome === outcome;
    });
    if (!byAnyone && !BY_SYSTEM.has(outcome)) {
      yield `${session.session}: nobody answered request ${id} with ${outcome}`;
    }
  }
  for (const { id, client, outcome, body } of given) {
    if (outcome === 'ok' && outcomes.get(id) !== body.outcome) {
      const there = outcomes.get(id) ?? 'pending';
      yield `${session.session}: request ${id} was answered by ${client} with ${body.outcome} and is ${there}`;
    }
  }
}

function* cancels(session: SessionFacts, operations: readonly Operation[]): Iterable<string> {
  const asked = operations.filter(({ kind, outcome }) => kind === 'cancel' && outcome !== 'failed');
  const interrupts = operations.some(
    ({ kind, body }) => kind === 'command' && body.on_conflict === 'interrupt',
  );
  const statuses = new Map<string, string>();
  for (const event of session.events) {
    if (event.event_type !== 'run_finished' || event.run_id === undefined) continue;
    const { status } = event.payload;
    statuses.set(event.run_id, status);
    if (status === 'cancelled' && !interrupts && !asked.some(({ id }) => id === event.run_id)) {
      yield `${session.session}: nobody cancelled run ${event.run_id}`;
    }
  }
  for (const { id, client, outcome } of asked) {
    const status = statuses.get(id) ?? 'unfinished';
    if (outcome === 'ok' && status !== 'cancelled') {
      yield `${session.session}: run ${id} was cancelled by ${client} and is ${status}`;
    }
  }
}
