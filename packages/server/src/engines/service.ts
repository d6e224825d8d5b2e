/** EngineService: makes engines of the registered types and links them to sessions. */
import { randomBytes } from 'node:crypto';
import { ApiError, type EngineTypeInfo, type JsonObject, type LinkedEngine } from '@llmgine/protocol';
import type { Append, AppendOutcome, EngineRow, SessionKey, SessionRow, Write } from '../storage/types.ts';
import { fieldErrors } from '../validation.ts';
import { EngineRegistry } from './registry.ts';
import type { Engine, EngineCommand, EngineServices } from './types.ts';

export interface EngineServiceOptions {
  readonly registry?: EngineRegistry;
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
    this.registry = options.registry ?? new EngineRegistry();
  }

  get types(): readonly string[] {
    return this.registry.types;
  }

  describe(): EngineTypeInfo[] {
    return this.registry.describe();
  }

  /** Throws `INVALID_ENGINE_TYPE` and `UNKNOWN_COMMAND`. */
  command(engineType: string, name: string): EngineCommand {
    return this.registry.command(engineType, name);
  }

  /**
   * Makes an engine that can be linked. Throws `INVALID_ENGINE_TYPE`, `VALIDATION_ERROR` when the configuration is not
   * what the engine's schema says, and `ENGINE_CREATION_FAILED`.
   */
  async create(engineType: string, config: Record<string, unknown>): Promise<EngineRow> {
    const valid = this.#validate(engineType, config);
    await this.#build(engineType, valid);
    return {
      engineId: `engine_${randomBytes(12).toString('base64url')}`,
      engineType,
      config: valid as JsonObject,
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
   * Links a new engine; the history stays. A failed creation leaves the old engine linked. Throws what `create` throws,
   * and `RUN_IN_PROGRESS` while a run is unfinished.
   */
  async link(
    session: SessionRow,
    body: { readonly engine_type: string; readonly engine_config?: Record<string, unknown> | undefined },
  ): Promise<LinkedEngine> {
    const engine = await this.create(body.engine_type, body.engine_config ?? {});
    return this.announce(session, engine, [{ kind: 'link_engine', engine }]);
  }

  /** Says in the log of the session that this engine is linked, together with the rows that say so where they are not written yet. */
  async announce(
    session: SessionKey,
    engine: EngineRow,
    writes: readonly Write[] = [],
  ): Promise<LinkedEngine> {
    const linked: LinkedEngine = {
      engine_id: engine.engineId,
      engine_type: engine.engineType,
      status: engine.status,
    };
    const now = Date.now();
    const outcome = await this.#options.append({
      session,
      touchedAt: now,
      events: [{ eventType: 'engine_linked', runId: null, payload: JSON.stringify(linked), createdAt: now }],
      writes,
    });
    if (!outcome.ok) throw refusal(outcome.reason);
    return linked;
  }

  /** Throws `ENGINE_NOT_LINKED`, and `RUN_IN_PROGRESS` while a run is unfinished. */
  async unlink(session: SessionRow): Promise<{ engine_id: string }> {
    if (!session.engine) throw new ApiError('ENGINE_NOT_LINKED');
    const { engineId } = session.engine;
    const now = Date.now();
    const outcome = await this.#options.append({
      session,
      touchedAt: now,
      events: [
        {
          eventType: 'engine_unlinked',
          runId: null,
          payload: JSON.stringify({ engine_id: engineId }),
          createdAt: now,
        },
      ],
      writes: [{ kind: 'unlink_engine', engineId }],
    });
    if (!outcome.ok) throw refusal(outcome.reason);
    return { engine_id: engineId };
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
    try {
      return await this.registry.get(engineType).create(config, this.#options.services);
    } catch (error) {
      // What the engine says in an ApiError is for the caller; anything else may hold what is not.
      const text = error instanceof ApiError ? error.message : undefined;
      this.#options.report(`create ${engineType}`, error);
      throw new ApiError('ENGINE_CREATION_FAILED', text, { cause: error });
    }
  }
}

function refusal(reason: string): ApiError {
  if (reason === 'run_in_progress') return new ApiError('RUN_IN_PROGRESS');
  if (reason === 'engine_changed') return new ApiError('ENGINE_NOT_LINKED');
  return new ApiError('SESSION_NOT_FOUND');
}
