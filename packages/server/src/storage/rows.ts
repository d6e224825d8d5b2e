/** What the storage keeps, as the rest of the server sees it. */
import type {
  ErrorObject,
  Json,
  JsonObject,
  RequestKind,
  RequestOutcome,
  RunStatus,
  Usage,
} from '@llmgine/protocol';
import type { Amounts, Reservation } from './budget.ts';
import type { ForkOrigin } from './transfers.ts';

/** Whose data is asked for. There is no query without it. */
export interface Scope {
  readonly tenantId: string;
  readonly ownerId: string;
}

export interface SessionKey extends Scope {
  readonly sessionId: string;
}

export interface EngineRow {
  readonly engineId: string;
  readonly engineType: string;
  readonly config: JsonObject;
  readonly status: 'running' | 'failed';
}

export interface SessionRow extends SessionKey {
  readonly epoch: string;
  /** `seq` of the newest event, 0 when there is none. */
  readonly headSeq: number;
  readonly name: string | null;
  readonly metadata: JsonObject;
  readonly createdAt: number;
  readonly lastInteractionAt: number;
  readonly unfinishedRuns: number;
  readonly engine: EngineRow | null;
  /** Of all its runs together: what they have used, in how many steps and milliseconds. */
  readonly usage: Usage | null;
  readonly steps: number;
  readonly elapsedMs: number;
  /** Null for one that began by itself. */
  readonly forkedFrom: ForkOrigin | null;
}

/** What all runs of an owner have used on one day in UTC, deleted sessions included. */
export interface DayUse {
  readonly usage: Usage;
  readonly steps: number;
  readonly elapsedMs: number;
  /** Set aside by calls that are under way. */
  readonly reserved: Amounts;
}

export interface NewSession extends SessionKey {
  readonly epoch: string;
  readonly name: string | null;
  readonly metadata: JsonObject;
  readonly createdAt: number;
  readonly engine: EngineRow | null;
  /** What its log begins with. */
  readonly events: readonly NewEvent[];
  /** Default: nothing. */
  readonly forkedFrom?: ForkOrigin | null;
}

/** A run without what it was given, which may be large. */
export interface RunSummary extends SessionKey {
  readonly runId: string;
  readonly engineId: string;
  readonly engineType: string;
  readonly command: string;
  readonly status: RunStatus;
  /** `seq` of the run's first event; it orders the runs of a session. */
  readonly acceptedSeq: number;
  /** `seq` of the `message_started` whose message is not completed, or null. */
  readonly openSeq: number | null;
  /** How often it was started or continued; 0 before the first time. */
  readonly attempt: number;
  readonly result: Json;
  /** Of the steps up to the last checkpoint; of the whole run when it has ended. */
  readonly usage: Usage | null;
  readonly error: ErrorObject | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
}

/** Where a run stands among the unfinished ones of all sessions. */
export interface RunPlace {
  readonly session: number;
  readonly acceptedSeq: number;
}

export interface UnfinishedRun extends SessionKey {
  readonly runId: string;
  readonly status: RunStatus;
}

/** A run that nobody executes, with all that it takes to end it. */
export interface WaitingRun extends UnfinishedRun {
  readonly usage: Usage | null;
  readonly steps: number;
  /** Ids of its requests that are not resolved, oldest first. */
  readonly pending: readonly string[];
}

export interface RunRow extends RunSummary {
  readonly engineConfig: JsonObject;
  readonly parameters: JsonObject;
  /** Digest of what the client asked for; the same `runId` with another digest is a mismatch. */
  readonly bodyHash: string;
  /** Milliseconds that it had executed at the last checkpoint; waiting for people and for its turn does not count. */
  readonly elapsedMs: number;
  /** How often in a row its process died without a checkpoint in between. */
  readonly recoveries: number;
  /** Model calls that count in `usage`. */
  readonly steps: number;
  /** What its calls under way have set aside. */
  readonly reserved: Reservation | null;
}

export type NewRun = Pick<
  RunRow,
  'runId' | 'engineId' | 'engineType' | 'engineConfig' | 'command' | 'parameters' | 'bodyHash' | 'createdAt'
>;

/** A request to people: it belongs to a run, and waits until it is resolved. */
export interface RequestRow extends SessionKey {
  /** Unique in its session. */
  readonly requestId: string;
  readonly runId: string;
  /** The run's own name for it, unique in the run: asked again, it finds the same request. */
  readonly requestKey: string;
  readonly kind: RequestKind;
  readonly prompt: string;
  readonly schema: JsonObject | null;
  /** Of the tool call that waits; undefined when there is none. */
  readonly arguments: Json | undefined;
  readonly toolName: string | null;
  readonly toolCallId: string | null;
  /** `seq` of its `input_requested`; it orders the requests of a session. */
  readonly seq: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Who executes it, as given to `claim_request`, and until when. */
  readonly claimedBy: string | null;
  readonly claimedUntil: number | null;
  /** Null as long as it is pending. */
  readonly resolution: Resolution | null;
}

export interface Resolution {
  readonly outcome: RequestOutcome;
  /** Who answered; `system` when nobody did. */
  readonly by: string;
  /** Undefined when the answer had none. */
  readonly value: Json | undefined;
  readonly reason: string | null;
  readonly at: number;
}

export type NewRequest = Pick<
  RequestRow,
  | 'requestId'
  | 'runId'
  | 'requestKey'
  | 'kind'
  | 'prompt'
  | 'schema'
  | 'arguments'
  | 'toolName'
  | 'toolCallId'
  | 'createdAt'
  | 'expiresAt'
>;

/**
 * What a mutating call answered, kept so that the same call again gets the same answer. Written in the transaction of
 * what the call did.
 */
export interface IdempotencyRecord extends Scope {
  /** Unique in its scope; what the caller chose, and where it was used. */
  readonly idempotencyKey: string;
  /** Digest of what was asked; the same key with another digest is a mismatch. */
  readonly bodyHash: string;
  /** JSON text. */
  readonly response: string;
  readonly createdAt: number;
}

export interface NewEvent {
  readonly eventType: string;
  readonly runId: string | null;
  /** JSON text of an object. */
  readonly payload: string;
  readonly createdAt: number;
  /** Client-chosen id of a published event, unique in its session. */
  readonly eventId?: string;
}
