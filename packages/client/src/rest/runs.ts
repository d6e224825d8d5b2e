import type { CommandResult, JsonObject, OnConflict, Run, RunStatus } from '@llmgine/protocol/wire';
import { uuid } from '../ids.ts';
import { type CallOptions, type PageOptions, sessionPath } from './sessions.ts';
import type { Transport } from './transport.ts';
import type { CommandPending, RunCancelled, RunPage } from './types.ts';

export interface RunCommandOptions extends CallOptions {
  /** A UUID that makes it happen once. Default: a random one. */
  readonly runId?: string;
  readonly onConflict?: OnConflict;
}

/** Runs over REST, for those who need no stream. Every method rejects with `LlmgineError`. */
export class Runs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Gives a command and resolves at once, when the run is accepted. */
  start(
    sessionId: string,
    command: string,
    parameters: JsonObject = {},
    options: RunCommandOptions = {},
  ): Promise<CommandPending> {
    const { runId = uuid(), onConflict = 'queue', signal } = options;
    const body = { command, parameters, run_id: runId, on_conflict: onConflict };
    const path = `${sessionPath(sessionId)}/commands`;
    // The run has the key already that makes the call one that may be repeated.
    const headers = { prefer: 'respond-async' };
    return this.#transport.json('POST', path, { body, headers, idempotencyKey: runId, signal });
  }

  /** Gives a command and resolves when its run has ended, or waits for people. */
  run(
    sessionId: string,
    command: string,
    parameters: JsonObject = {},
    options: RunCommandOptions = {},
  ): Promise<CommandResult | CommandPending> {
    const { runId = uuid(), onConflict = 'queue', signal } = options;
    const body = { command, parameters, run_id: runId, on_conflict: onConflict };
    const path = `${sessionPath(sessionId)}/commands`;
    return this.#transport.json('POST', path, { body, idempotencyKey: runId, timeoutMs: 0, signal });
  }

  /** Newest first. */
  list(
    sessionId: string,
    options: PageOptions & { readonly cursor?: string; readonly status?: RunStatus } = {},
  ): Promise<RunPage> {
    const { signal, ...query } = options;
    return this.#transport.json('GET', `${sessionPath(sessionId)}/runs`, { query, signal });
  }

  get(sessionId: string, runId: string, options: CallOptions = {}): Promise<Run> {
    return this.#transport.json(
      'GET',
      `${sessionPath(sessionId)}/runs/${encodeURIComponent(runId)}`,
      options,
    );
  }

  /** Resolves when its end is durable. */
  cancel(sessionId: string, runId: string, options: CallOptions = {}): Promise<RunCancelled> {
    const path = `${sessionPath(sessionId)}/runs/${encodeURIComponent(runId)}/cancel`;
    return this.#transport.json('POST', path, options);
  }
}
