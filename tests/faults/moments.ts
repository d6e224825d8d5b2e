/** Chosen points in time. */
import { setTimeout as later } from 'node:timers/promises';
import type { History } from './history.ts';
import type { Random } from './random.ts';

export interface MomentRange {
  readonly events: number;
  readonly ms: number;
}

/**
 * Resolves at a moment drawn from the seed: after up to so many more events have been seen, or after up to so many
 * milliseconds. Where no more events come it is `ms` at the latest.
 */
export async function randomMoment(random: Random, history: History, range: MomentRange): Promise<void> {
  const byEvents = random.chance(0.5);
  const events = random.int(1, range.events);
  const ms = random.int(0, range.ms);
  if (byEvents) await Promise.race([history.moreEvents(events), later(range.ms)]);
  else await later(ms);
}

/** Resolves when somebody has seen a request to people whose end nobody has seen, now or later. */
export function somethingIsAsked(history: History): Promise<void> {
  const [open, resolved] = [new Set<string>(), new Set<string>()];
  let next = 0;
  return history.until(({ sightings }) => {
    for (; next < sightings.length; next++) {
      const sighting = sightings[next];
      if (sighting?.kind !== 'event') continue;
      const { event_type, payload } = sighting.event;
      if (event_type === 'input_requested' && !resolved.has(payload.request_id)) open.add(payload.request_id);
      if (event_type !== 'input_resolved') continue;
      resolved.add(payload.request_id);
      open.delete(payload.request_id);
    }
    return open.size > 0;
  });
}
