/** The engine contract. */
import type { EventPayload, EventType, Json, JsonObject, Message } from '@llmgine/protocol';
import type { z } from 'zod';
import type { Model } from '../models/types.ts';
import type { ToolRegistry } from '../tools/registry.ts';

/** What engines may use of the server. */
export interface EngineServices {
  /** `provider:model`, or nothing for the configured default. Throws `VALIDATION_ERROR` for an unknown provider. */
  model(name?: string): Model;
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

/** What an engine may emit. The server adds cursor, seq, run id and time. */
export type EngineEvent = {
  [T in Exclude<
    EventType,
    'run_queued' | 'run_started' | 'run_finished' | 'engine_linked' | 'engine_unlinked'
  >]: {
    readonly event_type: T;
    readonly payload: EventPayload<T>;
  };
}[Exclude<EventType, 'run_queued' | 'run_started' | 'run_finished' | 'engine_linked' | 'engine_unlinked'>];

export interface EngineContext {
  readonly sessionId: string;
  readonly runId: string;
  readonly command: string;
  /** Validated by the schema of the command. */
  readonly parameters: JsonObject;
  readonly principal: { readonly id: string; readonly tenantId: string };
  /** Aborts on cancel, deadline, deletion of the session, shutdown, and when the run fails; not after `run` has returned. */
  readonly signal: AbortSignal;
  readonly logger: EngineLogger;
  /**
   * The conversation up to and including this run's prompt: runs in their order, without what later runs in the queue
   * have said already.
   */
  history(): Promise<readonly Message[]>;
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
   * Executes one command. What it resolves with is the `result` of the run. Throw `ApiError` to fail with a code of
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
  /** Commands besides `prompt`, which every engine has. An entry named `prompt` replaces its schema. */
  readonly commands?: Readonly<Record<string, EngineCommand>>;
  /** Called when an engine is linked, and again for each run. A throw is `ENGINE_CREATION_FAILED`. */
  create(config: z.output<Config>, services: EngineServices): Engine | Promise<Engine>;
}
