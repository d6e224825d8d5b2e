/** How the storage is written: events with the rows that follow from them. */
import type { ErrorObject, Json, RunOutcome, RunStatus, Usage } from '@llmgine/protocol';
import type { Budgets, Demand, Exceeded, Grant } from './budget.ts';
import type {
  EngineRow,
  IdempotencyRecord,
  NewEvent,
  NewRequest,
  NewRun,
  Resolution,
  SessionKey,
} from './rows.ts';

/**
 * Rows that change in the transaction of the events that they follow from. Applied in their order: each sees what those
 * before it did, so a run comes before its messages.
 */
export type Write =
  /**
   * The payload of the event at `eventIndex` of this append is a message; the seq of the event orders the messages.
   * `streamed`: its deltas lie between the run's open message and the event, so it MUST come before the write that closes
   * that message. The event then gets `replaces` (see `Replaced`), and the deltas are compacted later.
   */
  | { readonly kind: 'insert_message'; readonly eventIndex: number; readonly streamed?: boolean }
  /**
   * Refused with `run_exists` when the session has a run of this id, with `engine_changed` when the run's engine is
   * not the linked one, and with `run_in_progress` when more than `maxAhead` runs are unfinished. The first event of
   * the append is the run's first.
   */
  | { readonly kind: 'create_run'; readonly run: NewRun; readonly maxAhead: number }
  /**
   * queued → running, for the first time or to be continued; this process is its owner from then on. Refused with
   * `run_not_in_state` unless the run is queued and this is its next attempt, and with `fenced` when the lease of this
   * process has run out.
   */
  | { readonly kind: 'start_run'; readonly runId: string; readonly attempt: number; readonly at: number }
  /**
   * A step has finished: nothing before it is ever repeated. Sets `recoveries` back to 0. What the run has set aside for
   * calls is free again.
   *
   * This write and those below say what the run has used in all; what they leave out stays as it is. What is new in it is
   * added to its session and to its owner's day in the same transaction. `at` says which day; default: now.
   */
  | {
      readonly kind: 'checkpoint';
      readonly runId: string;
      readonly usage: Usage | null;
      readonly elapsedMs: number;
      readonly steps?: number;
      readonly at?: number;
    }
  /**
   * Sets aside what a call may use, until the next checkpoint or until the run is not executed any more, and says how much
   * that is (`granted`). Without a call it asks for more time. Refused with `budget_exceeded` (and `exceeded`) when one of
   * the budgets has no room for it, and with `run_not_in_state` when the run is not running. MUST NOT pass twice on the
   * same remainder of an owner, whatever process asks.
   */
  | {
      readonly kind: 'reserve_budget';
      readonly runId: string;
      readonly budgets: Budgets;
      readonly call: Demand | null;
      readonly elapsedMs: number;
      readonly at: number;
    }
  /**
   * running → awaiting_input: it holds no memory, and keeps its place in the session. Refused with `nothing_pending` when
   * all its requests are resolved, and with `run_not_in_state` when it is not running. Closes the run's open message.
   */
  | ({ readonly kind: 'park_run'; readonly elapsedMs: number } & Leaving)
  /** running → queued: its owner gives it back, to be continued. Refused with `run_not_in_state`. Closes its open message. */
  | ({ readonly kind: 'release_run'; readonly elapsedMs: number } & Leaving)
  /**
   * Takes over a run whose owner is gone: it is queued from then on, and this process looks after it. Refused with
   * `run_not_in_state` unless it is queued or running, this is its attempt, and its owner is gone. Counts in `recoveries`
   * when it was running. Closes its open message.
   */
  | {
      readonly kind: 'recover_run';
      readonly runId: string;
      readonly attempt: number;
      /** Refused, too, when this is not its open message any more: what was read before is out of date. */
      readonly openSeq?: number | null;
      readonly usage?: Usage | null;
      readonly steps?: number;
    }
  /**
   * Refused with `run_not_in_state` unless the run is in one of `from`, and with `request_pending` while one of its
   * requests is pending: they are resolved before, in the same append. Also closes the run's open message.
   */
  | {
      readonly kind: 'finish_run';
      readonly runId: string;
      readonly from: readonly RunStatus[];
      readonly status: RunOutcome;
      readonly result: Json;
      readonly usage: Usage | null;
      readonly steps?: number;
      readonly elapsedMs?: number;
      readonly error: ErrorObject | null;
      readonly at: number;
      /** Refused, too, when it had finished another number of steps: what was read before is out of date. */
      readonly fromSteps?: number;
      /** The same for its open message. */
      readonly fromOpenSeq?: number | null;
      /** The same for its calls under way. */
      readonly fromCalls?: number;
    }
  /** Remembers where the run's unfinished message began; `eventIndex: null` forgets it. */
  | { readonly kind: 'open_message'; readonly runId: string; readonly eventIndex: number | null }
  /**
   * `eventIndex` is its `input_requested`. Refused with `request_exists` when the run has a request of this key, and with
   * `run_not_in_state` unless the run is running.
   */
  | { readonly kind: 'create_request'; readonly request: NewRequest; readonly eventIndex: number }
  /** Refused with `request_not_pending`, and with `request_claimed` while somebody else holds the claim at `at`. */
  | {
      readonly kind: 'claim_request';
      readonly requestId: string;
      readonly by: string;
      readonly at: number;
      readonly until: number;
    }
  /**
   * Refused with `request_not_pending` when it is resolved or not there. A run that awaits input and has nothing pending
   * any more is queued again, and this process looks after it.
   */
  | { readonly kind: 'resolve_request'; readonly requestId: string; readonly resolution: Resolution }
  /** Both are refused with `run_in_progress` while a run of the session is unfinished. */
  | { readonly kind: 'link_engine'; readonly engine: EngineRow }
  /** Refused with `engine_changed` unless this engine is the linked one. */
  | { readonly kind: 'unlink_engine'; readonly engineId: string }
  | { readonly kind: 'set_engine_status'; readonly engineId: string; readonly status: EngineRow['status'] };

/** How a run is left that is not executed any more. What it has set aside is free again. */
interface Leaving {
  readonly runId: string;
  readonly usage?: Usage | null;
  readonly steps?: number;
}

export interface Append {
  readonly session: SessionKey;
  /** May be empty when only rows change. */
  readonly events: readonly NewEvent[];
  readonly writes?: readonly Write[];
  /**
   * The append counts only while this run is `running` in this attempt, this process is its owner, and its lease has not
   * run out; otherwise `fenced`.
   */
  readonly fence?: { readonly runId: string; readonly attempt: number };
  /** Also touch the session: it was used at this time. */
  readonly touchedAt?: number;
  /** Also keep what the caller is answered. Refused with `idempotency_exists` when there is a record of this key. */
  readonly idempotency?: IdempotencyRecord;
}

export type AppendRefusal =
  | 'session_not_found'
  | 'fenced'
  | 'run_exists'
  | 'run_in_progress'
  | 'run_not_in_state'
  | 'engine_changed'
  | 'event_exists'
  | 'request_exists'
  | 'request_pending'
  | 'request_not_pending'
  | 'request_claimed'
  | 'nothing_pending'
  | 'budget_exceeded'
  | 'idempotency_exists';

/**
 * The deltas that a `message_completed` stands for: those of its run from `fromSeq` to `toSeq`. The storage alone knows
 * the numbers, so it writes them into the payload, and so does who shows the event (`withReplaces`).
 */
export interface Replaced {
  readonly eventIndex: number;
  readonly fromSeq: number;
  readonly toSeq: number;
}

export type AppendOutcome =
  | {
      readonly ok: true;
      readonly epoch: string;
      /** `seq` of the first event; when the append had none, the head. */
      readonly firstSeq: number;
      readonly lastSeq: number;
      /** For `create_run`: how many unfinished runs are ahead of it. */
      readonly position?: number;
      /** For `reserve_budget`: what the run may use. */
      readonly granted?: Grant;
      /** Of the messages that were streamed. */
      readonly replaced?: readonly Replaced[];
    }
  | {
      readonly ok: false;
      readonly reason: AppendRefusal /** For `event_exists`: where it is. */;
      readonly seq?: number;
      readonly epoch?: string;
      /** For `budget_exceeded`. */
      readonly exceeded?: Exceeded;
    };
