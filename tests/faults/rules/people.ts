/** What people decide counts: who cancels stops the run, and what they do not approve is not done. */
import { eventsByRun, type Facts, requestsOf, type SessionFacts } from '../facts.ts';
import type { Operation, ToolExecution } from '../history.ts';

export function* cancelsAndPermissions({ history, sessions }: Facts): Iterable<string> {
  for (const session of sessions.values()) {
    const operations = history.operations.filter((operation) => operation.session === session.session);
    yield* cancels(session, operations);
    yield* permissions(session, history.executions);
  }
}

/** What somebody had to approve was executed only if somebody did. */
function* permissions(session: SessionFacts, executions: readonly ToolExecution[]): Iterable<string> {
  const approvals = new Map<string, string>();
  for (const { runId, question, resolved } of requestsOf(session).values()) {
    if (question.kind !== 'approval') continue;
    approvals.set(`${runId} ${question.tool_call_id}`, resolved?.outcome ?? 'pending');
  }
  const runs = eventsByRun(session);
  for (const { run_id: runId, tool_call_id: id, tool, approval } of executions) {
    const unasked = approval && runs.has(runId) ? 'missing' : 'approved';
    const outcome = approvals.get(`${runId} ${id}`) ?? unasked;
    if (outcome !== 'approved') {
      yield `${session.session}: run ${runId} executed ${tool} (${id}), and its approval is ${outcome}`;
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
