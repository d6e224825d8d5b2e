/** P2 and P5: what was acknowledged is there, once, and what was refused is not. */
import { messageText, parseCursor, type SessionEvent } from '@llmgine/protocol';
import { canonical, type Facts, type SessionFacts } from '../facts.ts';
import type { Operation } from '../history.ts';

export function* sessionsAreThere({ history, sessions }: Facts): Iterable<string> {
  const made = new Map<string, string>();
  for (const { kind, outcome, result, id, client } of history.operations) {
    if (kind !== 'create_session' || outcome !== 'ok') continue;
    const session = result.session_id ?? '';
    if (!sessions.has(session)) yield `session ${session} was created by ${client} and is gone`;
    const before = made.get(id);
    if (before !== undefined && before !== session)
      yield `create_session ${id} made ${before} and ${session}`;
    made.set(id, session);
  }
}

export function* everySendIsThereOnce(facts: Facts): Iterable<string> {
  for (const session of facts.sessions.values()) {
    const operations = facts.history.operations.filter((operation) => operation.session === session.session);
    yield* commands(session, operations);
    yield* published(session, operations);
  }
}

function* commands(session: SessionFacts, operations: readonly Operation[]): Iterable<string> {
  const sends = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (operation.kind !== 'command') continue;
    sends.set(operation.id, [...(sends.get(operation.id) ?? []), operation]);
  }
  const queued = session.events.filter(({ event_type }) => event_type === 'run_queued');
  for (const [runId, sent] of sends) {
    const there = queued.filter(({ run_id }) => run_id === runId);
    yield* count(`${session.session}: command ${runId}`, there.length, amount(sent));
    for (const { result } of sent) {
      const first = there[0];
      if (!first || result.cursor === undefined) continue;
      const begin = session.events.find(({ run_id }) => run_id === runId)?.seq ?? 0;
      if (parseCursor(result.cursor)?.seq !== begin - 1) {
        yield `${session.session}: command ${runId} was accepted at ${result.cursor} and begins at ${begin}`;
      }
    }
    yield* prompt(session, runId, sent);
  }
  for (const { run_id, cursor } of queued) {
    if (!sends.has(run_id ?? ''))
      yield `${session.session}: nobody sent the command at ${cursor} (run ${run_id})`;
  }
}

/** What the person said is in the log as it was sent. */
function* prompt(session: SessionFacts, runId: string, sent: readonly Operation[]): Iterable<string> {
  const texts = new Set(sent.flatMap(({ body }) => promptOf(body)));
  for (const event of session.events) {
    if (event.run_id !== runId || event.event_type !== 'message_completed') continue;
    if (event.payload.role === 'user' && !texts.has(messageText(event.payload))) {
      yield `${session.session}: nobody sent the prompt at ${event.cursor} (run ${runId})`;
    }
  }
}

function promptOf(body: Operation['body']): string[] {
  const { parameters } = body;
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) return [];
  return typeof parameters.prompt === 'string' ? [parameters.prompt] : [];
}

function* published(session: SessionFacts, operations: readonly Operation[]): Iterable<string> {
  const events = publishedByClients(session);
  const sends = eventSends(operations);
  for (const [value, sent] of sends) {
    const there = events.get(value) ?? [];
    const distinct = [...new Map(sent.map((operation) => [operation.id, operation])).values()];
    const sure = distinct.filter(({ id }) => sent.some((other) => other.id === id && other.outcome === 'ok'));
    const possible = distinct.filter(({ id }) =>
      sent.some((other) => other.id === id && mayHaveHappened(other)),
    );
    yield* count(`${session.session}: event ${value}`, there.length, {
      least: sure.length,
      most: possible.length,
    });
    for (const { outcome, result, id } of sent) {
      if (outcome !== 'ok' || result.cursor === undefined) continue;
      if (there.length > 0 && !there.some(({ cursor }) => cursor === result.cursor)) {
        yield `${session.session}: event ${id} was acknowledged at ${result.cursor}, which has another value`;
      }
    }
  }
  for (const [value, there] of events) {
    if (!sends.has(value)) yield `${session.session}: nobody sent the event at ${there[0]?.cursor}: ${value}`;
  }
}

/** By value. What an engine publishes belongs to a run. */
export function publishedByClients(session: SessionFacts): Map<string, SessionEvent[]> {
  const events = new Map<string, SessionEvent[]>();
  for (const event of session.events) {
    if (event.run_id !== undefined || !event.event_type.startsWith('custom:')) continue;
    const value = eventValue(event.event_type, event.payload);
    events.set(value, [...(events.get(value) ?? []), event]);
  }
  return events;
}

export function eventValue(event_type: unknown, payload: unknown = {}): string {
  return canonical({ event_type, payload });
}

function eventSends(operations: readonly Operation[]): Map<string, Operation[]> {
  const sends = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (operation.kind !== 'event') continue;
    const value = eventValue(operation.body.event_type, operation.body.payload);
    sends.set(value, [...(sends.get(value) ?? []), operation]);
  }
  return sends;
}

function mayHaveHappened({ outcome }: Operation): boolean {
  return outcome !== 'failed';
}

/** Sent with one id, it is one thing. */
function amount(sent: readonly Operation[]): { least: number; most: number } {
  return {
    least: sent.some(({ outcome }) => outcome === 'ok') ? 1 : 0,
    most: sent.some(mayHaveHappened) ? 1 : 0,
  };
}

function* count(
  what: string,
  there: number,
  { least, most }: { least: number; most: number },
): Iterable<string> {
  if (there < least) yield `${what} was acknowledged and is lost`;
  if (there > most) yield most === 0 ? `${what} was refused and is there` : `${what} is there ${there} times`;
}
