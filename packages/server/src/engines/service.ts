/** EngineService: makes engines of the registered types and links them to sessions. */
import { ApiError, type EngineTypeInfo, type JsonObject, type LinkedEngine } from '@llmgine/protocol';
import { nanoid } from 'nanoid';
import type {
  Append,
  AppendOutcome,
  EngineRow,
  IdempotencyRecord,
  NewEvent,
  SessionKey,
  SessionRow,
} from '../storage/types.ts';
import { fieldErrors, storable } from '../validation.ts';
import type { EngineRegistry } from './registry.ts';
import type { Engine, EngineCommand, EngineServices } from './types.ts';

/** How long an engine may take to be made. */
const CREATE_SECONDS = 20;

export interface EngineServiceOptions {
  readonly registry: EngineRegistry;
  readonly services: EngineServices;
  /** Appends to the log of a session; resolves after the commit. */
  readonly append: (append: Append) => Promise<AppendOutcome>;
  readonly report: (stage: string, error: unknown) => void;
}

export class EngineService {
  readonly registry: EngineRegistry;
  readonly #options: EngineServiceOptions;

  constructor(options: EngineServiceOptions) {
    this.#options = options;
    this.registry = options.registry;
  }

  get types(): readonly string[] {
    return this.registry.types;
  }

  describe(): EngineTypeInfo[] {
    return this.registry.describe();
  }

  /** Whether runs of this engine type can be continued; false for a type that is not there any more. */
  isResumable(engineType: string): boolean {
    return this.registry.find(engineType)?.resumable ?? false;
  }

  /** Throws `INVALID_ENGINE_TYPE` and `UNKNOWN_COMMAND`. */
  command(engineType: string, name: string): EngineCommand {
    return this.registry.command(engineType, name);
  }

  /**
   * Makes an engine that can be linked. Throws `INVALID_ENGINE_TYPE`, `VALIDATION_ERROR` when the configuration is not
   * what the engine's schema or the engine itself takes, and `ENGINE_CREATION_FAILED`.
   */
  async create(engineType: string, config: JsonObject): Promise<EngineRow> {
    const valid = this.#validate(engineType, config);
    await this.#build(engineType, valid);
    return {
      engineId: `engine_${nanoid(16)}`,
      engineType,
      config: storable(this.registry.get(engineType).config, config, valid),
      status: 'running',
    };
  }

  /** The engine of a run. Throws `ENGINE_CREATION_FAILED` for whatever keeps it from being made. */
  async load(engineType: string, config: JsonObject): Promise<Engine> {
    try {
      return await this.#build(engineType, this.#validate(engineType, config));
    } catch (error) {
      if (error instanceof ApiError && error.code === 'ENGINE_CREATION_FAILED') throw error;
      const text = error instanceof ApiError ? error.message : undefined;
      throw new ApiError('ENGINE_CREATION_FAILED', text, { cause: error });
    }
  }

  /**
   * Links a new engine; the history stays. A failed creation leaves the old engine linked, and so does a `signal` that
   * aborts before the new one is made. `keep` makes the record of what the caller is answered. Throws what `create`
   * throws, `RUN_IN_PROGRESS` while a run is unfinished, and `IDEMPOTENCY_IN_PROGRESS` when the record is there already.
   */
  async link(
    session: SessionKey,
    body: { readonly engine_type: string; readonly engine_config?: JsonObject | undefined },
    signal?: AbortSignal,
    keep?: (answer: LinkedEngine) => IdempotencyRecord | undefined,
  ): Promise<LinkedEngine> {
    const engine = await this.create(body.engine_type, body.engine_config ?? {});
    signal?.throwIfAborted();
    const record = keep?.(view(engine));
    const outcome = await this.#options.append({
      session,
      touchedAt: Date.now(),
      events: [this.linkedEvent(engine)],
      writes: [{ kind: 'link_engine', engine }],
      ...(record ? { idempotency: record } : {}),
    });
    if (!outcome.ok) throw refusal(outcome.reason);
    return view(engine);
  }

  /** What the log of a session says when this engine is linked. */
  linkedEvent(engine: EngineRow): NewEvent {
    return {
      eventType: 'engine_linked',
      runId: null,
      payload: JSON.stringify(view(engine)),
      createdAt: Date.now(),
    };
  }

  /**
   * `keep` makes the record of what the caller is answered. Throws `ENGINE_NOT_LINKED`, `RUN_IN_PROGRESS` while a run is
   * unfinished, and `IDEMPOTENCY_IN_PROGRESS` when the record is there already.
   */
  async unlink(
    session: SessionRow,
    keep?: (answer: { engine_id: string }) => IdempotencyRecord | undefined,
  ): Promise<{ engine_id: string }> {
    if (!session.engine) throw new ApiError('ENGINE_NOT_LINKED');
    const { engineId } = session.engine;
    const answer = { engine_id: engineId };
    const record = keep?.(answer);
    const now = Date.now();
    const outcome = await this.#options.append({
      session,
      touchedAt: now,
      events: [
        { eventType: 'engine_unlinked', runId: null, payload: JSON.stringify(answer), createdAt: now },
      ],
      writes: [{ kind: 'unlink_engine', engineId }],
      ...(record ? { idempotency: record } : {}),
    });
    if (!outcome.ok) throw refusal(outcome.reason);
    return answer;
  }

  #validate(engineType: string, config: Record<string, unknown>): unknown {
    const result = this.registry.get(engineType).config.safeParse(config);
    if (result.success) return result.data;
    const errors = fieldErrors(result.error, 'engine_config');
    throw new ApiError(
      'VALIDATION_ERROR',
      `engine_config of ${engineType} is not valid: ${errors[0]?.message}`,
      {
        errors,
      },
    );
  }

  async #build(engineType: string, config: unknown): Promise<Engine> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(
        new ApiError('ENGINE_CREATION_FAILED', `${engineType} was not ready after ${CREATE_SECONDS} seconds`),
      );
    }, CREATE_SECONDS * 1000);
    try {
      const engine = this.registry.get(engineType).create(config, this.#options.services);
      return await Promise.race([engine, late.promise]);
    } catch (error) {
      // A configuration that the engine refuses, for example for its model, is the client's mistake and not a failure.
      if (error instanceof ApiError && (error.definition.status ?? 500) < 500) throw error;
      // What the engine says in an ApiError is for the caller; anything else may hold what is not.
      const text = error instanceof ApiError ? error.message : undefined;
      this.#options.report(`create ${engineType}`, error);
      throw new ApiError('ENGINE_CREATION_FAILED', text, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function view({ engineId, engineType, status }: EngineRow): LinkedEngine {
  return { engine_id: engineId, engine_type: engineType, status };
}

function refusal(reason: string): ApiError {
  if (reason === 'run_in_progress') return new ApiError('RUN_IN_PROGRESS');
  if (reason === 'engine_changed') return new ApiError('ENGINE_NOT_LINKED');
  if (reason === 'idempotency_exists') return new ApiError('IDEMPOTENCY_IN_PROGRESS');
  return new ApiError('SESSION_NOT_FOUND');
}
