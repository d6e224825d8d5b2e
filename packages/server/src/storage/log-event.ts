import { formatCursor } from '@llmgine/protocol';
import { textFrame } from '../text-frame.ts';
import type { Replaced } from './types.ts';

/**
 * A committed event. Its wire forms are made at most once, when the first reader asks, and shared by all readers.
 */
export class LogEvent {
  readonly epoch: string;
  readonly seq: number;
  readonly eventType: string;
  readonly runId: string | null;
  /** JSON text of an object. */
  readonly payload: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  #data: string | undefined;
  #frame: Buffer | undefined;

  constructor(
    epoch: string,
    seq: number,
    eventType: string,
    runId: string | null,
    payload: string,
    createdAt: number,
  ) {
    this.epoch = epoch;
    this.seq = seq;
    this.eventType = eventType;
    this.runId = runId;
    this.payload = payload;
    this.createdAt = createdAt;
  }

  get cursor(): string {
    return formatCursor(this.epoch, this.seq);
  }

  /** JSON text of the event as clients see it: `data` of the frame and of the server-sent event. */
  get data(): string {
    if (this.#data === undefined) {
      // Ids, types and cursors have no character that JSON escapes, except the free part of custom types and run ids.
      const run = this.runId === null ? '' : `,"run_id":${JSON.stringify(this.runId)}`;
      this.#data =
        `{"cursor":"${this.cursor}","seq":${this.seq},"event_type":${JSON.stringify(this.eventType)}${run}` +
        `,"payload":${this.payload},"created_at":"${new Date(this.createdAt).toISOString()}"}`;
    }
    return this.#data;
  }

  /** The `event` frame, as it goes over a WebSocket. */
  get frame(): Buffer {
    this.#frame ??= textFrame(`{"type":"event","data":${this.data}}`);
    return this.#frame;
  }
}

/** The payload of a `message_completed` that was streamed, with the deltas that it stands for. */
export function withReplaces(payload: string, { fromSeq, toSeq }: Replaced): string {
  return `${payload.slice(0, -1)},"replaces":{"from_seq":${fromSeq},"to_seq":${toSeq}}}`;
}
