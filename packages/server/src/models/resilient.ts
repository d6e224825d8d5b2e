/** What keeps a call of a model going while providers fail: it is tried again, and then elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '@llmgine/protocol';
import { ModelError } from './model-error.ts';
import type { Model, ModelFinish, ModelRequest, ModelSink } from './types.ts';

/** Waits double from one attempt to the next, with a random part, so that many runs do not come back at once. */
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 20_000;
/** Seconds of a provider's `Retry-After` that are waited; one that asks for longer is left for the next model. */
const MAX_RETRY_AFTER = 60;

export interface ResilientOptions {
  /** How often each model is tried again. */
  readonly retries: number;
  /** Milliseconds before the first new attempt; default 500. */
  readonly firstWaitMs?: number;
}

/**
 * The models as one, named like the first: while nothing has been said, a call that fails is made again after a while,
 * or of the next model. Once the first piece is in the sink, a failure is final, since what was said cannot be unsaid.
 * What provider and model cannot mend (`MODEL_ERROR` with the remedy `nothing`, any other error, the signal) is final, too.
 */
export function resilientModel(models: readonly Model[], options: ResilientOptions): Model {
  const [first] = models;
  if (!first) throw new TypeError('There is no model to call');
  return {
    id: first.id,
    stream: (request, sink, signal) => streamAny(models, request, new WatchedSink(sink), signal, options),
  };
}

async function streamAny(
  models: readonly Model[],
  request: ModelRequest,
  sink: WatchedSink,
  signal: AbortSignal,
  options: ResilientOptions,
): Promise<ModelFinish> {
  for (const [place, model] of models.entries()) {
    try {
      const finish = await streamOne(model, request, sink, signal, options);
      return place === 0 ? finish : { ...finish, model: finish.model ?? model.id };
    } catch (error) {
      const next = models[place + 1];
      if (!next || signal.aborted || sink.started || remedyOf(error) === 'nothing') throw error;
      sink.notice(`${model.id} does not answer; asking ${next.id} instead`);
    }
  }
  throw new TypeError('unreachable: the last model answers or throws');
}

async function streamOne(
  model: Model,
  request: ModelRequest,
  sink: WatchedSink,
  signal: AbortSignal,
  { retries, firstWaitMs = FIRST_WAIT_MS }: ResilientOptions,
): Promise<ModelFinish> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await model.stream(request, sink, signal);
    } catch (error) {
      if (signal.aborted || sink.started || attempt >= retries || remedyOf(error) !== 'again') throw error;
      const retryAfter = (error as ApiError).retryAfter ?? 0;
      if (retryAfter > MAX_RETRY_AFTER) throw error;
      const wait = Math.max(retryAfter * 1000, backoff(attempt, firstWaitMs));
      sink.notice(`${model.id} failed; trying again in ${Math.max(Math.round(wait / 1000), 1)} s`);
      await pause(wait, signal);
    }
  }
}

/** At least half of it, so that a provider that asks for a rest gets one. */
function backoff(attempt: number, firstWaitMs: number): number {
  const full = Math.min(firstWaitMs * 2 ** attempt, MAX_WAIT_MS);
  return full / 2 + (Math.random() * full) / 2;
}

/** Rejects with the reason of the signal, as models do. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** A provider of somebody else that throws a plain `MODEL_ERROR` says with `retryAfter` that trying again can help. */
function remedyOf(error: unknown): ModelError['remedy'] {
  if (error instanceof ModelError) return error.remedy;
  if (!(error instanceof ApiError) || error.code !== 'MODEL_ERROR') return 'nothing';
  return error.retryAfter === undefined ? 'elsewhere' : 'again';
}

/** Passes everything on, and remembers whether anything was said. */
class WatchedSink implements ModelSink {
  readonly #sink: ModelSink;
  started = false;

  constructor(sink: ModelSink) {
    this.#sink = sink;
  }

  text(delta: string): boolean {
    this.started = true;
    return this.#sink.text(delta);
  }

  reasoning(delta: string): boolean {
    this.started = true;
    return this.#sink.reasoning(delta);
  }

  toolCall(call: Parameters<ModelSink['toolCall']>[0]): boolean {
    this.started = true;
    return this.#sink.toolCall(call);
  }

  metadata(...args: Parameters<ModelSink['metadata']>): void {
    this.started = true;
    this.#sink.metadata(...args);
  }

  notice(text: string): void {
    this.#sink.notice(text);
  }

  drain(): Promise<void> {
    return this.#sink.drain();
  }
}
