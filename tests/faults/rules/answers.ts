/** The first answer counts: what was acknowledged is what the log says, and what was refused came too late. */
import { type Asked, canonical, type Facts, requestsOf, type SessionFacts } from '../facts.ts';
import type { Operation } from '../history.ts';

/** Outcomes that the server gives by itself. */
const BY_SYSTEM: ReadonlySet<string> = new Set(['expired', 'cancelled']);
/** Answers that say everything: the same again is the same answer. */
const DECISIONS: ReadonlySet<unknown> = new Set(['approved', 'denied']);

export function* firstAnswerCounts({ history, sessions }: Facts): Iterable<string> {
  for (const session of sessions.values()) {
    const given = history.operations.filter((operation) => {
      return operation.kind === 'answer' && operation.session === session.session;
    });
    const requests = requestsOf(session);
    for (const asked of requests.values()) {
      const answers = given.filter(({ id }) => id === asked.id);
      yield* resolutions(session, asked, answers);
      yield* clientResults(session, asked, answers);
    }
    for (const answer of given) {
      const where = `${session.session}: request ${answer.id}`;
      const there = requests.get(answer.id)?.resolved?.outcome ?? 'pending';
      if (answer.outcome === 'ok') yield* accepted(where, answer, there);
      if (answer.outcome === 'failed') yield* refused(where, answer, there);
    }
  }
}

function* resolutions(
  { session, events }: SessionFacts,
  { id, runId, question, resolved }: Asked,
  answers: readonly Operation[],
): Iterable<string> {
  if (!resolved) return;
  const { outcome, by, at } = resolved;
  const where = `${session}: request ${id}`;
  const bySystem = BY_SYSTEM.has(outcome);
  if (bySystem !== (by === 'system')) yield `${where} is ${outcome} by ${by}`;
  const byAnyone = answers.some((answer) => answer.outcome !== 'failed' && answer.body.outcome === outcome);
  if (!byAnyone && !bySystem) yield `${session}: nobody answered request ${id} with ${outcome}`;
  if (outcome === 'expired' && at < question.expires_at) yield `${where} is expired before its time`;
  if (outcome !== 'cancelled') return;
  for (const event of events) {
    if (event.event_type !== 'run_finished' || event.run_id !== runId) continue;
    if (event.payload.status === 'completed') yield `${where} is cancelled, and its run is completed`;
  }
}

function* accepted(where: string, { client, body, result }: Operation, there: string): Iterable<string> {
  if (there !== body.outcome) yield `${where} was answered by ${client} with ${body.outcome} and is ${there}`;
  if (result.outcome !== undefined && result.outcome !== body.outcome) {
    yield `${where} was answered by ${client} with ${body.outcome}, acknowledged as ${result.outcome}`;
  }
}

function* refused(where: string, { client, body, error }: Operation, there: string): Iterable<string> {
  if (error === null || error === 'never sent') return;
  const wasAnswered = there !== 'pending' && !BY_SYSTEM.has(there);
  if (error === 'REQUEST_ALREADY_ANSWERED' && wasAnswered) {
    if (there !== body.outcome || !DECISIONS.has(there)) return;
    yield `${where} is ${there}, and the same answer of ${client} was refused`;
  } else if (error !== 'REQUEST_EXPIRED' || !BY_SYSTEM.has(there)) {
    yield `${where} is ${there}, and the answer of ${client} was refused with ${error}`;
  }
}

/** What a run got from a client is what the client gave whose answer counts. */
function* clientResults(
  { session, events }: SessionFacts,
  { id, runId, question, resolved }: Asked,
  answers: readonly Operation[],
): Iterable<string> {
  if (question.kind !== 'client_tool' || resolved?.outcome !== 'submitted') return;
  const submitted = answers.filter(
    ({ body, outcome }) => body.outcome === 'submitted' && outcome !== 'failed',
  );
  const sure = submitted.filter(({ outcome }) => outcome === 'ok');
  for (const event of events) {
    if (event.event_type !== 'tool_result' || event.run_id !== runId) continue;
    const { tool_call_id: call, result, is_error: isError } = event.payload;
    if (call !== question.tool_call_id) continue;
    const got = ({ body }: Operation) => !isError && canonical(body.value) === canonical(result);
    for (const { client, body } of sure.filter((answer) => !got(answer))) {
      const [given, there] = [JSON.stringify(body.value), JSON.stringify(result)];
      yield `${session}: request ${id} was given ${given} by ${client}, and its run got ${there}`;
    }
    if (sure.length === 0 && submitted.length > 0 && !submitted.some(got)) {
      yield `${session}: request ${id} gave its run ${JSON.stringify(result)}, which no client gave`;
    }
  }
}
