/** P1: a place in a log has one value, whoever reads it, and a log has no holes. */
import { isDeepStrictEqual } from 'node:util';
import type { SessionEvent } from '@llmgine/protocol';
import { parseCursor } from '@llmgine/protocol';
import type { Facts, SessionFacts } from '../facts.ts';

/** `(session, epoch, seq)` has one value everywhere, and what anybody saw is in the log. */
export function* oneValueEverywhere({ history, sessions }: Facts): Iterable<string> {
  const values = new Map<string, SessionEvent>();
  const told = new Set<string>();
  const differs = (session: string, event: SessionEvent): boolean => {
    const place = `${session} ${event.cursor}`;
    const value = values.get(place);
    if (!value) values.set(place, event);
    if (!value || isDeepStrictEqual(value, event) || told.has(place)) return false;
    told.add(place);
    return true;
  };
  for (const { session, readings } of sessions.values()) {
    for (const [way, events] of Object.entries(readings)) {
      for (const event of events) {
        if (differs(session, event)) yield `${session} ${event.cursor} has another value when read by ${way}`;
      }
    }
  }
  for (const sighting of history.sightings) {
    if (sighting.kind !== 'event') continue;
    const { session, client, event } = sighting;
    const facts = sessions.get(session);
    const place = `${session} ${event.cursor}`;
    const position = parseCursor(event.cursor);
    if (position?.seq !== event.seq) {
      yield `${place} says that its seq is ${event.seq}`;
      continue;
    }
    if (differs(session, event)) yield `${place} had another value when ${client} saw it`;
    if (!facts || position.epoch !== facts.epoch || told.has(place)) continue;
    if (inAnyReading(facts, event.seq) || facts.mayLack(event.seq)) continue;
    told.add(place);
    yield `${place} (${event.event_type}) was seen by ${client} and is not in the log`;
  }
}

const sequences = new WeakMap<SessionFacts, Set<number>>();

function inAnyReading(facts: SessionFacts, seq: number): boolean {
  let numbers = sequences.get(facts);
  if (!numbers) {
    numbers = new Set(Object.values(facts.readings).flatMap((events) => events.map((event) => event.seq)));
    sequences.set(facts, numbers);
  }
  return numbers.has(seq);
}

/** Each way to read the final log gives all of it, in order, up to the head. */
export function* readingsAreWhole({ sessions }: Facts): Iterable<string> {
  for (const { session, readings, headSeq, mayLack } of sessions.values()) {
    for (const [way, events] of Object.entries(readings)) {
      let position = 0;
      for (const { seq } of events) {
        if (seq <= position) yield `${session} read by ${way}: ${seq} comes after ${position}`;
        yield* gaps(position, seq, mayLack, `${session} read by ${way}`);
        position = Math.max(position, seq);
      }
      yield* gaps(position, headSeq + 1, mayLack, `${session} read by ${way}`);
    }
  }
}

/** The events between two that are missing without a reason. */
export function* gaps(
  after: number,
  before: number,
  mayLack: (seq: number) => boolean,
  where: string,
): Iterable<string> {
  const missing: number[] = [];
  for (let seq = after + 1; seq < before; seq++) if (!mayLack(seq)) missing.push(seq);
  if (missing.length > 0) yield `${where}: ${missing.join(', ')} missing`;
}
