/** What waits for an answer is what the log says, wherever one looks; and one client at a time has a tool to execute. */
import { parseCursor } from '@llmgine/protocol';
import { type Asked, type Facts, requestsOf, type SessionFacts } from '../facts.ts';
import type { Operation, Sighting } from '../history.ts';

/** Milliseconds for which a claim is good. */
const CLAIM_MS = 30_000;

export function* requestsAreAsLogged({ history, sessions }: Facts): Iterable<string> {
  for (const session of sessions.values()) {
    const requests = requestsOf(session);
    yield* listed(session, requests);
    for (const sighting of history.sightings) {
      if (sighting.session === session.session) yield* snapshot(session, requests, sighting);
    }
  }
}

/** The list has what the log has. */
function* listed({ session, listed: rows }: SessionFacts, requests: Map<string, Asked>): Iterable<string> {
  const outcomes = new Map(rows.map(({ request_id, outcome }) => [request_id, outcome ?? 'pending']));
  for (const { id, resolved } of requests.values()) {
    const [there, row] = [resolved?.outcome ?? 'pending', outcomes.get(id) ?? 'not there'];
    if (row !== there) yield `${session}: request ${id} is ${there}, and is listed as ${row}`;
  }
  for (const id of outcomes.keys()) {
    if (!requests.has(id)) yield `${session}: request ${id} is listed, and nobody has asked it`;
  }
}

/** What a client is told that waits is what was asked and not resolved at that place. */
function* snapshot(
  { session, epoch }: SessionFacts,
  requests: Map<string, Asked>,
  sighting: Sighting,
): Iterable<string> {
  if (sighting.kind !== 'pending') return;
  const { cursor, client } = sighting;
  const place = parseCursor(cursor);
  if (place?.epoch !== epoch) return;
  const told = new Set(sighting.requests);
  for (const { id, seq, resolved } of requests.values()) {
    const waits = seq <= place.seq && (resolved?.seq ?? Number.POSITIVE_INFINITY) > place.seq;
    if (waits === told.has(id)) continue;
    const [there, said] = waits ? ['pending', 'is not'] : ['not pending', 'is'];
    yield `${session}: request ${id} is ${there} at ${cursor}, and ${client} was told that it ${said}`;
  }
}

/** Whoever is given a claim has it alone, until it runs out or the request is answered. */
export function* oneClaimAtATime({ history, sessions }: Facts): Iterable<string> {
  for (const { session } of sessions.values()) {
    const claims = new Map<string, Operation[]>();
    const answered = new Map<string, number>();
    for (const operation of history.operations) {
      const { kind, outcome, id } = operation;
      if (operation.session !== session || outcome !== 'ok') continue;
      if (kind === 'claim') claims.set(id, [...(claims.get(id) ?? []), operation]);
      const at = operation.endedAt ?? Number.POSITIVE_INFINITY;
      if (kind === 'answer') answered.set(id, Math.min(at, answered.get(id) ?? at));
    }
    for (const [id, given] of claims) {
      const where = `${session}: request ${id} was claimed by`;
      given.sort((a, b) => until(a) - until(b));
      for (const [n, claim] of given.entries()) {
        const { client, invokedAt } = claim;
        if ((answered.get(id) ?? invokedAt) < invokedAt) yield `${where} ${client} after it was answered`;
        const before = given[n - 1];
        if (!before || before.client === client || until(claim) - until(before) >= CLAIM_MS) continue;
        yield `${where} ${client} while ${before.client} had it`;
      }
    }
  }
}

function until({ result }: Operation): number {
  return Date.parse(result.expires_at ?? '');
}
