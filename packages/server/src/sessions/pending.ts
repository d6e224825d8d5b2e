import type { Append, AppendOutcome, NewEvent, SessionKey, Write } from '../storage/types.ts';

/** The most text that merging puts into one delta event, so that a frame stays small. */
const MAX_MERGED_LENGTH = 16_384;

interface PendingDelta {
  readonly eventType: string;
  readonly runId: string;
  readonly messageId: string;
  readonly createdAt: number;
  text: string;
}

/** What an append says beside its events and writes. */
export type PendingOptions = Pick<Append, 'fence' | 'touchedAt' | 'idempotency'>;

/**
 * An append that waits for the next commit. Until the log takes it, more events may join it, and a delta may be merged
 * into the one before it: later on nothing changes any more.
 */
export class PendingAppend {
  readonly #session: SessionKey;
  readonly #events: (NewEvent | PendingDelta)[] = [];
  readonly #writes: Write[] = [];
  readonly #options: PendingOptions;
  #settled: ((outcome: AppendOutcome | Error) => void)[] = [];
  #taken = false;
  /** Characters that wait in it; what back-pressure counts. */
  size = 0;

  constructor(session: SessionKey, options: PendingOptions) {
    this.#session = session;
    this.#options = options;
  }

  get sessionId(): string {
    return this.#session.sessionId;
  }

  /** True until the log has taken it for a commit. */
  get open(): boolean {
    return !this.#taken;
  }

  add(events: readonly NewEvent[], writes: readonly Write[] = []): void {
    const offset = this.#events.length;
    for (const event of events) {
      this.#events.push(event);
      this.size += event.payload.length;
    }
    for (const write of writes) this.#writes.push(offset === 0 ? write : shift(write, offset));
  }

  /** Adds a piece of text; merges it into the last event where that is a delta of the same message and kind. */
  addDelta(eventType: string, runId: string, messageId: string, text: string, now: number): void {
    this.size += text.length;
    const last = this.#events.at(-1);
    if (
      last !== undefined &&
      'text' in last &&
      last.messageId === messageId &&
      last.eventType === eventType &&
      last.text.length + text.length <= MAX_MERGED_LENGTH
    ) {
      last.text += text;
      return;
    }
    this.#events.push({ eventType, runId, messageId, createdAt: now, text });
  }

  /** Called with the outcome of the commit, or with why the storage failed, before anyone sees the events. */
  onSettled(callback: (outcome: AppendOutcome | Error) => void): void {
    this.#settled.push(callback);
  }

  /** Closes it and gives what the storage gets. */
  take(): Append {
    this.#taken = true;
    const { fence, touchedAt, idempotency } = this.#options;
    return {
      session: this.#session,
      events: this.#events.map((event) => ('text' in event ? serialiseDelta(event) : event)),
      writes: this.#writes,
      ...(fence ? { fence } : {}),
      ...(touchedAt === undefined ? {} : { touchedAt }),
      ...(idempotency ? { idempotency } : {}),
    };
  }

  settle(outcome: AppendOutcome | Error): void {
    const callbacks = this.#settled;
    this.#settled = [];
    for (const callback of callbacks) callback(outcome);
  }
}

function serialiseDelta(delta: PendingDelta): NewEvent {
  return {
    eventType: delta.eventType,
    runId: delta.runId,
    createdAt: delta.createdAt,
    payload: `{"message_id":${JSON.stringify(delta.messageId)},"text":${JSON.stringify(delta.text)}}`,
  };
}

/** Writes name events by their index in the append; what joins later counts on from there. */
function shift(write: Write, offset: number): Write {
  if (!('eventIndex' in write) || write.eventIndex === null) return write;
  return { ...write, eventIndex: write.eventIndex + offset };
}
