/** P6: an accepted run ends once, nothing follows its end, and one run at a time has the session. */
import { isDeepStrictEqual } from 'node:util';
import type { SessionEvent } from '@llmgine/protocol';
import { eventsByRun, type Facts } from '../facts.ts';

export function* runsEndOnce(facts: Facts): Iterable<string> {
  for (const session of facts.sessions.values()) {
    for (const [runId, events] of eventsByRun(session)) {
      yield* runEndsOnce(`${session.session}: run ${runId}`, events, facts);
    }
    yield* oneAtATime(session.session, session.events);
  }
  yield* resultsAreEnds(facts);
}

function* runEndsOnce(run: string, events: readonly SessionEvent[], facts: Facts): Iterable<string> {
  const ends = events.filter((event) => event.event_type === 'run_finished');
  const [end] = ends;
  const requests = new Map<string, number>();
  for (const event of events) {
    if (event.event_type === 'input_requested') {
      const { request_id: id } = event.payload;
      if (requests.has(id)) yield `${run} asks request ${id} twice`;
      requests.set(id, 0);
    } else if (event.event_type === 'input_resolved') {
      const { request_id: id } = event.payload;
      const resolved = requests.get(id);
      if (resolved === undefined) yield `${run} resolves request ${id} that was never asked`;
      else if (resolved > 0) yield `${run} resolves request ${id} twice`;
      requests.set(id, (resolved ?? 0) + 1);
    }
  }
  const pending = [...requests].flatMap(([id, resolved]) => (resolved === 0 ? [id] : []));
  if (!end) {
    const parked = facts.options.mayBeParked && pending.length > 0;
    if (!parked) yield `${run} has not ended`;
    return;
  }
  if (ends.length > 1) yield `${run} ends ${ends.length} times`;
  const after = events.filter(({ seq, event_type }) => seq > end.seq && event_type !== 'run_finished');
  for (const { cursor, event_type } of after)
    yield `${run} goes on after its end: ${event_type} at ${cursor}`;
  for (const id of pending) yield `${run} has ended, and its request ${id} is still pending`;
  const { status, error } = end.payload;
  if (facts.options.allCompleted && status === 'failed') yield `${run} has failed: ${error?.code}`;
}

function* oneAtATime(session: string, events: readonly SessionEvent[]): Iterable<string> {
  let current: string | undefined;
  for (const { event_type, run_id, cursor } of events) {
    if (event_type === 'run_started') {
      if (current !== undefined && current !== run_id) {
        yield `${session}: run ${run_id} starts at ${cursor} while ${current} has the session`;
      }
      current = run_id;
    } else if (event_type === 'run_finished' && current === run_id) {
      current = undefined;
    }
  }
}

/** What a client is told of how its command ended is what the log says. */
function* resultsAreEnds({ history, sessions }: Facts): Iterable<string> {
  const ends = new Map<string, SessionEvent>();
  for (const { session, events } of sessions.values()) {
    for (const event of events) {
      const end = `${session} ${event.run_id}`;
      if (event.event_type === 'run_finished' && !ends.has(end)) ends.set(end, event);
    }
  }
  for (const sighting of history.sightings) {
    if (sighting.kind !== 'result' || !sessions.has(sighting.session)) continue;
    const { client, session, result } = sighting;
    const { run_id, ...told } = result;
    if (!isDeepStrictEqual(told, ends.get(`${session} ${run_id}`)?.payload)) {
      yield `${session}: ${client} was told another end of run ${run_id} (${result.status}) than the log has`;
    }
  }
}
