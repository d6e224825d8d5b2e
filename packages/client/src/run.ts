import type { CommandAccepted, CommandResult, SessionEvent } from '@llmgine/protocol/wire';
import { LlmgineError } from './errors.ts';
import type { RunFeed } from './run-feed.ts';
import { type ReadLog, RunReader } from './run-reader.ts';

/**
 * One run. It goes on whatever becomes of the handle and of the connection: only `cancel` ends it.
 *
 *     const run = session.prompt('Hello');
 *     for await (const event of run) if (event.event_type === 'text_delta') write(event.payload.text);
 *     const { status, result, usage } = await run.result;
 */
export class RunHandle implements AsyncIterable<SessionEvent> {
  readonly #feed: RunFeed;
  readonly #readLog: ReadLog;
  readonly #cancel: () => Promise<void>;

  /** Made by a session. */
  constructor(feed: RunFeed, readLog: ReadLog, cancel: () => Promise<void>) {
    this.#feed = feed;
    this.#readLog = readLog;
    this.#cancel = cancel;
  }

  get runId(): string {
    return this.#feed.runId;
  }

  /** Resolves when the server has the command for good. Rejects with `LlmgineError` when it refuses it. */
  get accepted(): Promise<CommandAccepted> {
    return this.#feed.accepted;
  }

  /**
   * How the run ended, also when it failed or was cancelled: look at `status`. Rejects with `LlmgineError` when the command
   * was refused, or the session was closed before.
   */
  get result(): Promise<CommandResult> {
    return this.#feed.result;
  }

  /** What the assistant said last. Rejects with `LlmgineError` when the run did not complete, too. */
  get text(): Promise<string> {
    const text = this.#text();
    text.catch(() => {});
    return text;
  }

  /**
   * The events of the run from its beginning, each once, and the last is `run_finished`. Every loop begins anew. It may be as
   * slow as it likes: what is not kept any more is read from the server's log. Where that does not go back so far, its
   * events are left out. Throws what `result` rejects with.
   */
  [Symbol.asyncIterator](): AsyncIterator<SessionEvent, undefined> {
    return new RunReader(this.#feed, this.#readLog);
  }

  /** Ends the run as `cancelled`. Resolves when that is durable, or when it has ended before. */
  cancel(): Promise<void> {
    return this.#cancel();
  }

  async #text(): Promise<string> {
    const { status, result, error } = await this.#feed.result;
    if (status === 'cancelled') throw new LlmgineError('RUN_CANCELLED', 'The run was cancelled');
    if (status === 'failed') throw new LlmgineError(error?.code ?? 'INTERNAL_ERROR', error?.message);
    const said = typeof result === 'object' && result !== null && !Array.isArray(result) ? result.text : null;
    return typeof said === 'string' ? said : (this.#feed.lastText ?? '');
  }
}
