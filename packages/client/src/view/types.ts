/** What a view shows, and what it asks of a session. All of it is immutable: what changed is another object. */
import type {
  EventPayload,
  History,
  InputRequest,
  Json,
  Message,
  Run,
  SessionEvent,
  Usage,
} from '@llmgine/protocol/wire';
import type { SessionState } from '../connection/types.ts';

/** `waiting`: said by the model and not begun; `running`: begun, or somebody is asked; the others are its end. */
export type ToolCallStatus = 'waiting' | 'running' | 'done' | 'failed';

export interface ViewToolCall {
  readonly tool_call_id: string;
  readonly tool_name: string;
  readonly arguments: Json;
  readonly status: ToolCallStatus;
  /** Null until it is there. */
  readonly result: Json;
  /** Null where nobody has seen it end: a history does not say. */
  readonly duration_ms: number | null;
}

export interface ViewMessage extends Message {
  /** More of it is to come. */
  readonly streaming: boolean;
  /** The calls of its parts, and how each goes. */
  readonly tool_calls: readonly ViewToolCall[];
}

export interface ViewStep {
  readonly step: number;
  readonly model: string;
  readonly started_at: string;
  /** When the first piece of the answer was there. */
  readonly first_token_at: string | null;
  readonly finished_at: string | null;
  readonly usage: Usage | null;
  readonly finish_reason: string | null;
}

export interface ViewRun extends Run {
  /** Those that the view has seen. */
  readonly steps: readonly ViewStep[];
  /** What the engine says it is doing. */
  readonly status_text: string | null;
}

export type ViewRequest = EventPayload<'input_requested'> & {
  readonly run_id: string | null;
  readonly created_at: string;
} & Partial<Pick<InputRequest, 'claimed_until'>>;

export type ViewEngine = EventPayload<'engine_linked'>;

/** The conversation at one place of the log. */
export interface ViewState {
  readonly sessionId: string;
  /** The place: the last event that is in it, and of which log. */
  readonly epoch: string;
  readonly seq: number;
  readonly messages: readonly ViewMessage[];
  /** Unfinished ones, and those that ended while the view was there; oldest first. */
  readonly runs: readonly ViewRun[];
  /** What somebody has to answer, oldest first. */
  readonly requests: readonly ViewRequest[];
  /** Null: none is linked; undefined: not known. */
  readonly engine: ViewEngine | null | undefined;
  /** The latest custom events. */
  readonly custom: readonly SessionEvent[];
  /** Where older messages go on. */
  readonly next: string | null;
}

export interface ViewSnapshot
  extends Pick<ViewState, 'messages' | 'runs' | 'requests' | 'engine' | 'custom'> {
  /** `error`: nothing could be loaded; the view tries again when the connection is open again. */
  readonly status: 'loading' | 'ready' | 'error';
  readonly connection: SessionState;
  readonly hasOlder: boolean;
  readonly error: unknown;
}

/** What a view asks of a session; a `Session` has it. */
export interface SessionLike {
  readonly id: string;
  readonly state: SessionState;
  /** Opens the connection, and keeps it open. */
  connect(): Promise<unknown>;
  onState(listener: (state: SessionState) => void): () => void;
  on(type: '*', listener: (event: SessionEvent) => void): () => void;
  /** Events are missing, and cannot be had any more. */
  on(type: 'resync', listener: () => void): () => void;
  history(options?: { readonly limit?: number; readonly before?: string }): Promise<History>;
}
