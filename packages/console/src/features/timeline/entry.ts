import { clockTime } from '../../lib/format.ts';
import type { SessionEvent } from '../../lib/protocol.ts';
import type { LoggedFrame } from './session-log.ts';

/** A line of the timeline: an event of the log, or a frame of the connection. */
export interface Entry {
  readonly key: string;
  readonly time: string;
  readonly type: string;
  readonly runId: string | null;
  readonly brief: string;
  readonly event: SessionEvent | null;
  readonly frame: LoggedFrame | null;
}

const BRIEF = 160;

export function entryOfEvent(event: SessionEvent): Entry {
  return {
    key: `e${event.seq}`,
    time: clockTime(event.created_at),
    type: event.event_type,
    runId: event.run_id ?? null,
    brief: brief(event.payload),
    event,
    frame: null,
  };
}

export function entryOfFrame(frame: LoggedFrame): Entry {
  const parsed = parse(frame.text);
  const type = typeof parsed?.type === 'string' ? parsed.type : 'bytes';
  const event = type === 'event' ? (parsed?.data as Partial<SessionEvent> | undefined) : undefined;
  const name = event?.event_type === undefined ? type : `event ${event.event_type}`;
  return {
    key: `f${frame.id}`,
    time: clockTime(new Date(frame.at).toISOString()),
    type: `${frame.direction === 'in' ? '←' : '→'} ${name}`,
    runId: event?.run_id ?? null,
    brief: brief(event?.payload ?? parsed?.data ?? {}),
    event: null,
    frame,
  };
}

/** What is on the wire, as JSON; bytes only have a size. */
export function contentOf({ event, frame }: Entry): unknown {
  return event ?? parse(frame?.text ?? null) ?? { bytes: frame?.size ?? 0 };
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.slice(0, BRIEF);
}

function parse(text: string | null): { readonly type?: unknown; readonly data?: unknown } | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
