/** What a client knows of one run: how it was accepted, its latest events, and how it ended. */
import {
  type CommandAccepted,
  type CommandResult,
  isFinished,
  messageText,
  parseCursor,
  type Run,
  type SessionEvent,
} from '@llmgine/protocol/wire';

/** Of the events that are kept for those who read them later; what is older is read from the log. */
export interface FeedBounds {
  readonly events: number;
  /** Characters of their frames. */
  readonly characters: number;
}
export const DEFAULT_BOUNDS: FeedBounds = { events: 1_000, characters: 1_000_000 };

interface Kept {
  readonly event: SessionEvent;
  readonly size: number;
}

export class RunFeed {
  readonly runId: string;
  readonly accepted: Promise<CommandAccepted>;
  readonly result: Promise<CommandResult>;
  readonly #bounds: FeedBounds;
  readonly #accepted = Promise.withResolvers<CommandAccepted>();
  readonly #result = Promise.withResolvers<CommandResult>();
  readonly #waiting = new Set<() => void>();
  readonly #kept: Kept[] = [];
  #characters = 0;
  /** All events of the run after this number that the session has seen are kept. */
  #completeFrom = 0;
  #endsElsewhere = false;
  #isAccepted = false;
  #outcome: CommandResult | null = null;
  #error: unknown = null;
  readonly #givenUp = new AbortController();
  #lastText: string | null = null;

  /** `seq`: the place of the session in the log now; events before it were not seen. */
  constructor(runId: string, seq: number, bounds: FeedBounds) {
    this.runId = runId;
    this.#completeFrom = seq;
    this.#bounds = bounds;
    this.accepted = this.#accepted.promise;
    this.result = this.#result.promise;
    // Who does not look at them is not told.
    this.accepted.catch(() => {});
    this.result.catch(() => {});
  }

  get finished(): boolean {
    return this.#outcome !== null;
  }

  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Why there is nothing more to come though the run has not ended; null otherwise. */
  get error(): unknown {
    return this.#error;
  }

  /** Aborts with the error. */
  get givenUp(): AbortSignal {
    return this.#givenUp.signal;
  }

  get completeFrom(): number {
    return this.#completeFrom;
  }

  /** Of the last assistant's message that was seen. */
  get lastText(): string | null {
    return this.#lastText;
  }

  accept(accepted: CommandAccepted): void {
    this.#isAccepted = true;
    this.#accepted.resolve(accepted);
    this.#changed();
  }

  /** Events up to this number were not seen. */
  missed(seq: number): void {
    if (!this.#endsElsewhere) this.#completeFrom = seq;
    // Numbers mean something else where the log is another one.
    this.#kept.length = 0;
    this.#characters = 0;
    this.#changed();
  }

  add(event: SessionEvent, size: number): void {
    this.#kept.push({ event, size });
    this.#characters += size;
    // The last one stays, however large it is.
    while (this.#kept.length > this.#bounds.events || this.#characters > this.#bounds.characters) {
      if (this.#kept.length === 1) break;
      const oldest = this.#kept.shift() as Kept;
      this.#characters -= oldest.size;
      this.#completeFrom = Math.max(this.#completeFrom, oldest.event.seq);
    }
    if (event.event_type === 'message_completed' && event.payload.role === 'assistant') {
      this.#lastText = messageText(event.payload);
    }
    if (event.event_type === 'run_finished') this.#end({ run_id: this.runId, ...event.payload });
    else this.#changed();
  }

  /** The first kept event after this number; null: not yet; `missing`: it is not kept, if there is one. */
  after(seq: number): SessionEvent | null | 'missing' {
    if (seq < this.#completeFrom) return 'missing';
    // From the end: who reads along is nearly always there.
    let at = this.#kept.length;
    while (at > 0 && (this.#kept[at - 1] as Kept).event.seq > seq) at--;
    return this.#kept[at]?.event ?? null;
  }

  /** It has ended, as somebody else says than its events: the last of them may not have come, and are in the log. */
  finish(result: CommandResult): void {
    if (this.#outcome || this.#error !== null) return;
    this.#endsElsewhere = true;
    this.#completeFrom = Number.POSITIVE_INFINITY;
    this.#end(result);
  }

  #end(result: CommandResult): void {
    if (this.#outcome) return;
    this.#outcome = result;
    this.#result.resolve(result);
    this.#changed();
  }

  /** The run as its row says. */
  learn(run: Run): void {
    const { run_id, status, result, usage, error } = run;
    if (!this.#isAccepted) this.accept({ run_id, cursor: run.cursor, position: 0 });
    if (isFinished(status)) this.finish({ run_id, status, result, usage, error });
  }

  /** Nothing more will be known of it. */
  fail(error: unknown): void {
    this.#accepted.reject(error);
    if (this.#outcome || this.#error !== null) return;
    this.#error = error;
    this.#givenUp.abort(this.#error);
    this.#result.reject(error);
    this.#changed();
  }

  /** Resolves with the next change. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Number of the place that a cursor names. */
export function seqOf(cursor: string): number {
  return parseCursor(cursor)?.seq ?? 0;
}
