/**
 * What the appends of a batch find and leave behind. The rows that they refer to are read once, changed in memory in the
 * order of the batch, and written once.
 */
import type { RequestOutcome, RunStatus } from '@llmgine/protocol';
import type { EngineRow } from '../types.ts';
import type { EventColumns } from './event-row.ts';
import type { IdempotencyColumns } from './idempotency.ts';
import type { SessionUse } from './spending.ts';
import type { DayDrafts } from './usage-days.ts';

/** A row of `runs`, as its columns hold it. Replaced when it changes. */
export interface RunDraft {
  readonly accepted_seq: number;
  readonly status: RunStatus;
  readonly boot: number | null;
  readonly open_seq: number | null;
  readonly attempt: number;
  readonly elapsed_ms: number;
  readonly recoveries: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly usage: string | null;
  readonly steps: number;
  readonly reserved: string | null;
  /** Of how it ended in this batch. */
  readonly result: string | null;
  readonly error: string | null;
  /** What never changes; absent when it was there before. */
  readonly added?: {
    readonly created_at: number;
    readonly engine_id: string;
    readonly engine_type: string;
    readonly command: string;
    readonly body_hash: string;
    readonly engine_config: string;
    readonly parameters: string;
  };
}

/** A row of `requests`, likewise. */
export interface RequestDraft {
  readonly run_id: string;
  readonly request_key: string;
  readonly claimed_by: string | null;
  readonly claimed_until: number | null;
  readonly outcome: RequestOutcome | null;
  readonly resolved_by: string | null;
  readonly resolved_at: number | null;
  readonly value: string | null;
  readonly reason: string | null;
  readonly added?: {
    readonly seq: number;
    readonly kind: string;
    readonly created_at: number;
    readonly expires_at: number;
    readonly tool_name: string | null;
    readonly tool_call_id: string | null;
    readonly prompt: string;
    readonly schema: string | null;
    readonly arguments: string | null;
  };
}

export interface MessageColumns {
  readonly session: number;
  readonly seq: number;
  readonly accepted_seq: number;
  readonly from_seq: number | null;
  readonly to_seq: number | null;
  readonly completed_at: number;
  readonly size: number;
  readonly run_id: string | null;
  readonly message: string;
}

/** What the appends change of a session. */
export interface SessionState {
  headSeq: number;
  unfinishedRuns: number;
  lastInteractionAt: number;
  /** Replaced when it changes. */
  use: SessionUse;
  /** As its column holds it. */
  engineId: string | null;
  /** Linked, or unlinked, in this batch. */
  linked: EngineRow | null | undefined;
  engineStatus: EngineRow['status'] | undefined;
  /** Whether its events can be pruned one day, for all that is known. */
  prunable: boolean;
  runs: Map<string, RunDraft>;
  requests: Map<string, RequestDraft>;
  messages: MessageColumns[];
}

export class SessionDraft {
  readonly position: number;
  readonly epoch: string;
  readonly eventIds = new Map<string, number>();
  readonly before: SessionState;
  now: SessionState;

  constructor(position: number, epoch: string, state: SessionState) {
    this.position = position;
    this.epoch = epoch;
    this.before = state;
    this.now = state;
  }

  /** Everything is read: from here on it changes. */
  begin(): void {
    this.now = copy(this.before);
  }

  /** Everything is as before when `work` says that it was refused. */
  attempt<Refusal>(work: () => Refusal | undefined): Refusal | undefined {
    const before = copy(this.now);
    const refused = work();
    if (refused !== undefined) this.now = before;
    return refused;
  }
}

function copy(state: SessionState): SessionState {
  return {
    ...state,
    runs: new Map(state.runs),
    requests: new Map(state.requests),
    messages: [...state.messages],
  };
}

export interface BatchDraft {
  readonly boot: number;
  /** Whether the lease of this process had not run out when the sessions were locked. */
  readonly alive: boolean;
  /** The owners of its runs that are alive, when that matters. */
  readonly living: ReadonlySet<number>;
  /** By `session_id`, as its column holds it. */
  readonly sessions: ReadonlyMap<string, SessionRowDraft>;
  readonly days: DayDrafts;
  readonly answered: Set<string>;
  readonly answers: IdempotencyColumns[];
  readonly events: EventColumns[];
  readonly eventIds: { readonly session: number; readonly event_id: string; readonly seq: number }[];
}

/** A session and whose it is. */
export interface SessionRowDraft {
  readonly tenant_id: string;
  readonly owner_id: string;
  readonly draft: SessionDraft;
}
