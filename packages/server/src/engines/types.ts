/** The engine contract. */
import type {
  EventPayload,
  EventType,
  Json,
  JsonObject,
  Message,
  RequestKind,
  RequestOutcome,
} from '@llmgine/protocol';
import type { z } from 'zod';
import type { TranscriptionModel } from '../models/transcription.ts';
import type { Model } from '../models/types.ts';
import type { ToolRegistry } from '../tools/registry.ts';

/** What engines may use of the server. */
export interface EngineServices {
  /** `provider:model`, or nothing for the configured default. Throws `VALIDATION_ERROR` for an unknown provider. */
  model(name?: string): Model;
  /** The same for speech: `provider:model`, or nothing for the configured default. Throws `VALIDATION_ERROR`. */
  transcriptionModel(name?: string): TranscriptionModel;
  readonly tools: ToolRegistry;
  /** `custom` of the configuration. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface EngineLogger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

type ServerEventType =
  | 'run_queued'
  | 'run_started'
  | 'run_finished'
  | 'input_requested'
  | 'input_resolved'
  | 'engine_linked'
  | 'engine_unlinked';

/** What an engine may emit. The server adds cursor, seq, run id and time. */
export type EngineEvent = {
  [T in Exclude<EventType, ServerEventType>]: { readonly event_type: T; readonly payload: EventPayload<T> };
}[Exclude<EventType, ServerEventType>];

/** An event of a run as the log has it. */
export interface RecordedEvent {
  readonly seq: number;
  readonly event_type: string;
  readonly payload: JsonObject;
}

/** What a run asks people, or the clients of its session. */
export interface InputQuestion {
  /**
   * The run's own name for it, at most 200 characters. The same key with the same kind, tool and arguments is the same
   * request, also after a restart; with other arguments it is another one, so that no answer is good for what it was not
   * given for.
   */
  readonly key: string;
  readonly kind: RequestKind;
  /** In words for people. */
  readonly prompt: string;
  /** What the `value` of the answer has to fit, as a Zod schema or as JSON Schema (draft 2020-12); default: anything. */
  readonly schema?: z.ZodType | JsonObject;
  /** Of the tool call that waits. */
  readonly arguments?: Json;
  readonly toolName?: string;
  readonly toolCallId?: string;
  /** Seconds until it expires, at most a year; default `LLMGINE_API_REQUEST_TIMEOUT`. */
  readonly expiresIn?: number;
}

export interface InputAnswer {
  /** `expired` when nobody answered in time. */
  readonly outcome: RequestOutcome;
  /** Fits the schema; undefined when the answer had none. */
  readonly value: Json | undefined;
  readonly reason: string | null;
  /** Who answered; `system` when nobody did. */
  readonly by: string;
  /** Milliseconds from the question to the answer. */
  readonly waitedMs: number;
}

/** One call of a model that is about to be made. */
export interface PlannedCall {
  /** `provider:model`. */
  readonly model: string;
  /** An estimate is enough. */
  readonly inputTokens: number;
  /** What the model is told to say at most; default: no limit. */
  readonly maxOutputTokens?: number;
}

/** A file that a client has sent to the session, for example a recording. It lives as long as the session. */
export interface SessionFile {
  readonly fileId: string;
  readonly mimeType: string;
  readonly name: string | null;
  /** Bytes. */
  readonly size: number;
  /** Seconds of audio; null where nobody can tell. */
  readonly duration: number | null;
  /** Its bytes in order, in chunks. May be read again. */
  read(): AsyncIterable<Uint8Array>;
}

export interface EngineContext {
  readonly sessionId: string;
  readonly runId: string;
  readonly command: string;
  /** Validated by the schema of the command. */
  readonly parameters: JsonObject;
  readonly principal: { readonly id: string; readonly tenantId: string };
  /** 1 at first; more when the run is continued, because somebody has answered or its process has died. */
  readonly attempt: number;
  /** Aborts on cancel, deadline, deletion of the session, shutdown, when the run is parked, and when it fails; not after `run` has returned. */
  readonly signal: AbortSignal;
  readonly logger: EngineLogger;
  /**
   * The conversation up to and including this run's prompt: runs in their order, without what later runs in the queue
   * have said already.
   */
  history(): Promise<readonly Message[]>;
  /** What the log has of this run, of these types, in order: what a continued run needs to know about its past. */
  recorded(...eventTypes: readonly EventType[]): Promise<readonly RecordedEvent[]>;
  /**
   * Asks, once, and goes on: resolves with the answer, or with null as long as there is none. What is asked outlives the
   * process. Throws a `TypeError` when the engine is not `resumable` or the question is wrong.
   */
  request(question: InputQuestion): Promise<InputAnswer | null>;
  /**
   * Waits until everything that this run asked is answered or has expired. Resolves when it is; otherwise the run is
   * parked: the promise rejects, this call of `run` is over, and later `run` is called again, by whatever process, and
   * finds the answers with the same questions. Everything emitted before is committed.
   */
  park(): Promise<void>;
  /** `request`, and `park` while there is no answer. */
  ask(question: InputQuestion): Promise<InputAnswer>;
  /**
   * Asks the budgets of the run, of its session and of its owner for one call of a model, before it is made. What the call
   * may use is set aside until its `step_finished`. Resolves with how many tokens the model may say, undefined for no
   * limit. Throws `BUDGET_EXCEEDED` when there is no room for it. `streamModelStep` does it for you.
   */
  reserve(call: PlannedCall): Promise<number | undefined>;
  /** A file of the session. Throws `VALIDATION_ERROR` when there is none of this id. */
  file(fileId: string): Promise<SessionFile>;
  /**
   * Appends an event to the session's log. Synchronous; false means that much is waiting to be committed: await
   * `drain()` before going on. After the end of the run it does nothing. One message is open at a time: a
   * `message_started` withdraws the one before it that was not completed.
   */
  emit(event: EngineEvent): boolean;
  /** Resolves when everything emitted so far is committed. */
  drain(): Promise<void>;
}

/** One linked engine. It keeps nothing between runs: every run loads it anew from its type and configuration. */
export interface Engine {
  /**
   * Executes one command, or continues it: see `EngineDefinition.resumable`. What it resolves with is the `result` of the run. Throw `ApiError` to fail with a code of
   * the table; anything else becomes `INTERNAL_ERROR`.
   */
  run(context: EngineContext): Promise<Json>;
}

export interface EngineCommand {
  readonly description: string;
  readonly parameters: z.ZodType;
}

export interface EngineDefinition<Config extends z.ZodType = z.ZodType> {
  /** The `engine_type` of the wire. */
  readonly type: string;
  readonly description: string;
  /** Schema of `engine_config`. It MUST NOT take base URLs, credentials or commands to execute. */
  readonly config: Config;
  /**
   * True when a run can be continued after its process died or somebody has answered: `run` is called again with the same
   * parameters, finds in `context.history()` and `context.recorded()` what it has finished, and MUST NOT do that again.
   * Default false: such a run ends as `failed` with `RUN_INTERRUPTED`.
   */
  readonly resumable?: boolean;
  /** Commands besides `prompt`, which every engine has. An entry named `prompt` replaces its schema. */
  readonly commands?: Readonly<Record<string, EngineCommand>>;
  /** Called when an engine is linked, and again for each run. A throw is `ENGINE_CREATION_FAILED`. */
  create(config: z.output<Config>, services: EngineServices): Engine | Promise<Engine>;
}
