/** What a history and the final logs say together, arranged so that rules can look at it. */
import { type EventPayload, parseCursor, type SessionEvent } from '@llmgine/protocol';
import type { FinalLog } from './final-log.ts';
import type { History } from './history.ts';

/** Everything that is known of one session. */
export interface SessionFacts {
  readonly session: string;
  readonly epoch: string;
  readonly headSeq: number;
  readonly readings: FinalLog['readings'];
  /** As they are listed. */
  readonly listed: FinalLog['requests'];
  /** Of the final epoch, in order: what the final logs have, and the deltas that somebody saw before they were compacted. */
  readonly events: readonly SessionEvent[];
  /** Whether the reader of a log may do without the event of this number. */
  mayLack(seq: number): boolean;
}

export interface Facts {
  readonly history: History;
  readonly sessions: ReadonlyMap<string, SessionFacts>;
  readonly options: CheckOptions;
}

export interface CheckOptions {
  /** Runs have completed, unless somebody cancelled them. Default: it is enough that they have ended. */
  readonly allCompleted?: boolean;
  /** Runs may wait for people. Default: they have ended. */
  readonly mayBeParked?: boolean;
  /** Names of clients that have seen everything up to the head. */
  readonly caughtUp?: readonly string[];
}

/** A violation in one line, for people. */
export type Rule = (facts: Facts) => Iterable<string>;

export function collectFacts(history: History, finalLogs: readonly FinalLog[], options: CheckOptions): Facts {
  const sessions = new Map(finalLogs.map((log) => [log.session, sessionFacts(log, history)]));
  return { history, sessions, options };
}

function sessionFacts({ session, cursor, readings, requests }: FinalLog, history: History): SessionFacts {
  const { epoch, seq: headSeq } = parseCursor(cursor) ?? { epoch: '', seq: 0 };
  const known = new Map<number, SessionEvent>();
  for (const event of Object.values(readings).flat()) if (!known.has(event.seq)) known.set(event.seq, event);
  const replaced = replacedRanges([...known.values()]);
  const covers = (seq: number, runId?: string) =>
    replaced.some((range) => range.from <= seq && seq <= range.to && (runId ?? range.runId) === range.runId);
  for (const sighting of history.sightings) {
    if (sighting.kind !== 'event' || sighting.session !== session) continue;
    const { event } = sighting;
    if (known.has(event.seq) || parseCursor(event.cursor)?.epoch !== epoch) continue;
    if (isDelta(event) && covers(event.seq, event.run_id)) known.set(event.seq, event);
  }
  return {
    session,
    epoch,
    headSeq,
    readings,
    listed: requests,
    events: [...known.values()].sort((a, b) => a.seq - b.seq),
    mayLack: (seq) => {
      const event = known.get(seq);
      return event ? isDelta(event) && covers(seq, event.run_id) : covers(seq);
    },
  };
}

function replacedRanges(events: readonly SessionEvent[]) {
  return events.flatMap((event) =>
    event.event_type === 'message_completed' && event.payload.replaces
      ? [{ from: event.payload.replaces.from_seq, to: event.payload.replaces.to_seq, runId: event.run_id }]
      : [],
  );
}

export function isDelta(event: SessionEvent): boolean {
  return event.event_type === 'text_delta' || event.event_type === 'reasoning_delta';
}

export function eventsByRun({ events }: SessionFacts): Map<string, SessionEvent[]> {
  const runs = new Map<string, SessionEvent[]>();
  for (const event of events) {
    if (event.run_id === undefined) continue;
    const ofRun = runs.get(event.run_id);
    if (ofRun) ofRun.push(event);
    else runs.set(event.run_id, [event]);
  }
  return runs;
}

/** Something that a run has asked people, and what became of it. */
export interface Asked {
  readonly id: string;
  readonly runId: string;
  readonly seq: number;
  readonly question: EventPayload<'input_requested'>;
  readonly resolved: (EventPayload<'input_resolved'> & { readonly seq: number; readonly at: string }) | null;
}

/** By id; of what is asked or resolved twice, the first counts. */
export function requestsOf({ events }: SessionFacts): Map<string, Asked> {
  const requests = new Map<string, Asked>();
  for (const { event_type, payload, seq, run_id: runId = '', created_at: at } of events) {
    if (event_type === 'input_requested') {
      const { request_id: id } = payload;
      if (!requests.has(id)) requests.set(id, { id, runId, seq, question: payload, resolved: null });
    } else if (event_type === 'input_resolved') {
      const asked = requests.get(payload.request_id);
      if (asked && !asked.resolved) requests.set(asked.id, { ...asked, resolved: { ...payload, seq, at } });
    }
  }
  return requests;
}

/** JSON text in which the order of keys makes no difference. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
