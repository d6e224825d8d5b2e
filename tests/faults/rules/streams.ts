/** P1 and P3: a subscriber sees every event once, in order, or is told that it has lost its place. */
import { type CursorPosition, parseCursor } from '@llmgine/protocol';
import type { Facts } from '../facts.ts';
import { gaps } from './logs.ts';

const nothing = () => false;

export function* streamsAreWhole({ history, sessions, options }: Facts): Iterable<string> {
  /** By client and session. */
  const positions = new Map<string, CursorPosition>();
  for (const sighting of history.sightings) {
    if (sighting.kind === 'result' || sighting.kind === 'pending') continue;
    const { client, session, connection } = sighting;
    const stream = `${client} in ${session}`;
    const where = `${stream}, connection ${connection}`;
    const facts = sessions.get(session);
    const before = positions.get(stream);
    const cursor = sighting.kind === 'event' ? sighting.event.cursor : sighting.cursor;
    const position = parseCursor(cursor);
    if (!position) {
      yield `${where}: ${JSON.stringify(cursor)} is no cursor`;
      continue;
    }
    positions.set(stream, position);
    if (sighting.kind === 'resynced') continue;
    if (!before) {
      if (sighting.kind === 'event') yield `${where}: sees ${cursor} before it is subscribed`;
      continue;
    }
    if (position.epoch !== before.epoch) {
      yield `${where}: goes from epoch ${before.epoch} to ${position.epoch} without a resync`;
      continue;
    }
    const mayLack = facts?.epoch === position.epoch ? facts.mayLack : nothing;
    if (sighting.kind === 'subscribed') {
      // Whoever asks for an earlier place reads again what it has read.
      yield* gaps(before.seq, position.seq + 1, mayLack, `${where}, subscribed`);
      continue;
    }
    if (position.seq <= before.seq) yield `${where}: sees ${position.seq} after ${before.seq}`;
    yield* gaps(before.seq, position.seq, mayLack, where);
  }
  for (const client of options.caughtUp ?? []) {
    for (const { session, headSeq, mayLack } of sessions.values()) {
      const position = positions.get(`${client} in ${session}`);
      if (position) yield* gaps(position.seq, headSeq + 1, mayLack, `${client} in ${session}, at the end`);
    }
  }
}
