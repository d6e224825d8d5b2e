import { LogEvent } from '../log-event.ts';
import type { NewEvent } from '../types.ts';
import type { Columns } from './rows.ts';
import { decode, decodeNullable, encode, encodeNullable } from './text.ts';

export interface EventColumns {
  readonly session: number;
  readonly seq: number;
  readonly created_at: number;
  readonly size: number;
  readonly event_type: string;
  readonly run_id: string | null;
  readonly payload: string;
}
export const EVENT: Columns<EventColumns> = {
  session: 'bigint',
  seq: 'bigint',
  created_at: 'bigint',
  size: 'bigint',
  event_type: 'text',
  run_id: 'text',
  payload: 'text',
};

export function eventColumns(session: number, seq: number, event: NewEvent): EventColumns {
  const { eventType, runId, payload, createdAt } = event;
  return {
    session,
    seq,
    created_at: createdAt,
    size: payload.length,
    event_type: encode(eventType),
    run_id: encodeNullable(runId),
    payload,
  };
}

export function toEvent(epoch: string, row: Omit<EventColumns, 'session' | 'size'>): LogEvent {
  const { seq, event_type, run_id, payload, created_at } = row;
  return new LogEvent(epoch, seq, decode(event_type), decodeNullable(run_id), payload, created_at);
}
