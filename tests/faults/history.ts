/** What a test did to servers and what came of it, in one order: all of it is recorded by one process. */
import type { CommandResult, Json, JsonObject, SessionEvent } from '@llmgine/protocol';

export type OperationKind = 'create_session' | 'command' | 'event' | 'answer' | 'claim' | 'cancel';

export interface Invocation {
  readonly kind: OperationKind;
  readonly client: string;
  /** Null for `create_session`. */
  readonly session: string | null;
  /** The id that makes it one thing however often it is sent: `run_id`, `event_id`, `request_id`, `Idempotency-Key`. */
  readonly id: string;
  /** What was sent, without the id. */
  readonly body: JsonObject;
}

/** What the server acknowledged it with. */
export interface Acknowledgement {
  readonly cursor?: string;
  readonly session_id?: string;
  /** Of an answer. */
  readonly outcome?: string;
  /** Until when a claim is good. */
  readonly expires_at?: string;
}

export interface Operation extends Invocation {
  /** `unknown` when nobody said how it went: it may have happened, and may not happen twice. `open` counts like it. */
  readonly outcome: 'open' | 'ok' | 'failed' | 'unknown';
  readonly invokedAt: number;
  /** Refused for the moment it was sent again later, so it has no place in the order of what its client sent. */
  readonly unordered: boolean;
  readonly endedAt: number | null;
  readonly result: Acknowledgement;
  readonly error: string | null;
}

/** Ends an operation; the first end counts. */
export interface OpenOperation {
  readonly operation: Operation;
  /** It is acknowledged, so it is durable. */
  ok(result?: Acknowledgement): void;
  /** It was refused: it has not happened and never will. */
  failed(error: string): void;
  unknown(): void;
  /** It was refused for the moment, and is sent again after others. */
  deferred(): void;
}

/** What a client sees. */
export type Seen =
  | { readonly kind: 'subscribed' /** What follows comes after it. */; readonly cursor: string }
  | { readonly kind: 'event'; readonly event: SessionEvent }
  | {
      readonly kind: 'resynced' /** Told that it had lost its place, it goes on from here. */;
      readonly cursor: string;
    }
  | {
      readonly kind: 'pending' /** The requests that wait for an answer at this place. */;
      readonly cursor: string;
      readonly requests: readonly string[];
    }
  | { readonly kind: 'result'; readonly result: CommandResult };

/** Who sees it. Of one client they are in the order in which they came. */
export type Sighting = Seen & {
  readonly session: string;
  readonly client: string;
  /** Number of the client's connection. */
  readonly connection: number;
};

/** One execution of a tool, counted where its effect is. */
export interface ToolExecution {
  readonly tool: string;
  readonly tool_call_id: string;
  readonly run_id: string;
  readonly idempotent: boolean;
  /** Whether somebody had to approve it. */
  readonly approval?: boolean;
}

export class History {
  readonly operations: Operation[] = [];
  readonly sightings: Sighting[] = [];
  readonly executions: ToolExecution[] = [];
  readonly #waiting = new Set<() => void>();
  #now = 0;

  invoke(invocation: Invocation): OpenOperation {
    const operation = {
      ...invocation,
      outcome: 'open' as Operation['outcome'],
      invokedAt: this.#now++,
      unordered: false,
      endedAt: null as number | null,
      result: {} as Acknowledgement,
      error: null as string | null,
    };
    this.operations.push(operation);
    const end = (outcome: 'ok' | 'failed' | 'unknown', details: Partial<Operation> = {}) => {
      if (operation.outcome !== 'open') return;
      Object.assign(operation, details, { outcome, endedAt: this.#now++ });
      this.#look();
    };
    return {
      operation,
      ok: (result = {}) => end('ok', { result }),
      failed: (error) => end('failed', { error }),
      unknown: () => end('unknown'),
      deferred: () => {
        operation.unordered = true;
      },
    };
  }

  saw(sighting: Sighting): void {
    this.sightings.push(sighting);
    this.#look();
  }

  executed(...executions: ToolExecution[]): void {
    this.executions.push(...executions);
  }

  /** Resolves as soon as it is so. */
  until(holds: (history: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds(this)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Resolves when so many more events were seen than now, by all clients together. */
  moreEvents(count: number): Promise<void> {
    const from = this.sightings.length;
    return this.until(({ sightings }) => {
      let seen = 0;
      for (let n = from; n < sightings.length && seen < count; n++)
        if (sightings[n]?.kind === 'event') seen++;
      return seen >= count;
    });
  }

  toJSON(): Json {
    const { operations, sightings, executions } = this;
    return { operations, sightings, executions } as unknown as Json;
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
