/** P1: the log has the order in which things were sent. */
import type { Facts, SessionFacts } from '../facts.ts';
import type { Operation } from '../history.ts';
import { eventValue, publishedByClients } from './operations.ts';

/**
 * What one client sends is in its order; and what anybody sends after something was acknowledged comes after that,
 * whoever sent it.
 */
export function* oneOrder({ history, sessions }: Facts): Iterable<string> {
  for (const session of sessions.values()) {
    const places = placesOf(session, history.operations);
    const acknowledged = [...places].filter(([{ outcome }]) => outcome === 'ok');
    acknowledged.sort(([a], [b]) => (a.endedAt ?? 0) - (b.endedAt ?? 0));
    const byClient = new Map<string, number>();
    let next = 0;
    let floor = 0;
    for (const [operation, seq] of places) {
      while ((acknowledged[next]?.[0].endedAt ?? Number.POSITIVE_INFINITY) < operation.invokedAt) {
        floor = Math.max(floor, acknowledged[next]?.[1] ?? 0);
        next++;
      }
      const { kind, id, client } = operation;
      const what = `${session.session}: ${kind} ${id} of ${client} is at ${seq}`;
      const before = byClient.get(client) ?? 0;
      if (seq < before) yield `${what}, before what ${client} sent before it (${before})`;
      else if (seq < floor) yield `${what}, before what was acknowledged before it was sent (${floor})`;
      byClient.set(client, Math.max(before, seq));
    }
  }
}

/** Where each send is in the log, in the order of sending: the first send of an id, and only values that are sent once. */
function placesOf(session: SessionFacts, operations: readonly Operation[]): Map<Operation, number> {
  const queued = new Map<string, number>();
  for (const { event_type, run_id, seq } of session.events) {
    if (event_type !== 'run_queued' || run_id === undefined || queued.has(run_id)) continue;
    queued.set(run_id, seq);
  }
  const events = publishedByClients(session);
  const places = new Map<Operation, number>();
  const seen = new Set<string>();
  for (const operation of operations) {
    if (operation.session !== session.session || operation.outcome === 'failed') continue;
    if (operation.unordered) continue;
    const { kind, id, body } = operation;
    if (kind !== 'command' && kind !== 'event') continue;
    if (seen.has(`${kind} ${id}`)) continue;
    seen.add(`${kind} ${id}`);
    const same = events.get(eventValue(body.event_type, body.payload)) ?? [];
    const seq = kind === 'command' ? queued.get(id) : same.length === 1 ? same[0]?.seq : undefined;
    if (seq !== undefined) places.set(operation, seq);
  }
  return places;
}
