import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { toModelError } from './ai-sdk-error.ts';
import { AiSdkParts, readFinish } from './ai-sdk-parts.ts';
import { callOptions, type PromptOptions } from './ai-sdk-prompt.ts';
import { createRedact, droppedError, type Redact, stallError } from './model-error.ts';
import { MODEL_TIMEOUTS, type ModelTimeouts, StallTimer } from './stall-timer.ts';
import type { Model, ModelFinish, ModelProvider, ModelRequest, ModelSink } from './types.ts';

export interface AiSdkProviderOptions extends Omit<PromptOptions, 'provider'> {
  /** The part before the colon, for example `anthropic`. */
  readonly name: string;
  /** Makes the model of the SDK; called by the first `stream()`, so it may load its package then. */
  readonly model: (name: string) => LanguageModelV4 | Promise<LanguageModelV4>;
  /** Throws `VALIDATION_ERROR` for a name that cannot be a model. Default: every name is one. */
  readonly check?: (name: string) => void;
  /** Credentials that providers may quote in their errors; they are taken out. */
  readonly secrets?: readonly (string | undefined)[];
  /** `connect` and `afterEnd` are the SDK's own business. */
  readonly timeouts?: Partial<ModelTimeouts>;
}

/** Any provider of the AI SDK (`@ai-sdk/*`, specification version 4) as a provider of ours. */
export function aiSdkProvider(options: AiSdkProviderOptions): ModelProvider {
  const { name, secrets, check } = options;
  const timeouts = { ...MODEL_TIMEOUTS, ...options.timeouts };
  const redact = createRedact(secrets);
  return {
    name,
    model: (model) => {
      check?.(model);
      return new AiSdkModel({
        id: `${name}:${model}`,
        load: async () => options.model(model),
        prompt: { ...options, provider: name },
        timeouts,
        redact,
      });
    },
  };
}

interface AiSdkModelParts {
  readonly id: string;
  readonly load: () => Promise<LanguageModelV4>;
  readonly prompt: PromptOptions;
  readonly timeouts: ModelTimeouts;
  readonly redact: Redact;
}

class AiSdkModel implements Model {
  readonly id: string;
  readonly #parts: AiSdkModelParts;
  #model: Promise<LanguageModelV4> | undefined;

  constructor(parts: AiSdkModelParts) {
    this.id = parts.id;
    this.#parts = parts;
  }

  stream(request: ModelRequest, sink: ModelSink, signal: AbortSignal): Promise<ModelFinish> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      // A model of somebody else may be slow to notice the end of its signal, so the race is decided here.
      const ended = new AbortController();
      const stall = new StallTimer(this.#parts.timeouts, (ms) => settle(() => reject(stallError(ms))));
      const onAbort = () => settle(() => reject(signal.reason));
      const settle = (outcome: () => void) => {
        if (ended.signal.aborted) return;
        stall.pause();
        signal.removeEventListener('abort', onAbort);
        outcome();
        ended.abort();
      };
      signal.addEventListener('abort', onAbort);
      this.#read(request, sink, stall, ended.signal).then(
        (finish) => settle(() => resolve(finish)),
        (error) => settle(() => reject(error)),
      );
    });
  }

  async #read(
    request: ModelRequest,
    sink: ModelSink,
    stall: StallTimer,
    ended: AbortSignal,
  ): Promise<ModelFinish> {
    const { prompt, redact } = this.#parts;
    let parts: ReadableStreamDefaultReader<LanguageModelV4StreamPart>;
    try {
      const model = await this.#loaded();
      parts = (await model.doStream(callOptions(request, ended, prompt))).stream.getReader();
    } catch (error) {
      throw toModelError(error, redact);
    }
    // Also when the model does not watch its signal, or when it began to answer only after the end.
    const cancel = () => void parts.cancel().catch(() => undefined);
    if (ended.aborted) cancel();
    else ended.addEventListener('abort', cancel);
    return readParts(parts, sink, stall, ended, redact);
  }

  #loaded(): Promise<LanguageModelV4> {
    this.#model ??= this.#parts.load().catch((error: unknown) => {
      this.#model = undefined;
      throw error;
    });
    return this.#model;
  }
}

async function readParts(
  parts: ReadableStreamDefaultReader<LanguageModelV4StreamPart>,
  sink: ModelSink,
  stall: StallTimer,
  ended: AbortSignal,
  redact: Redact,
): Promise<ModelFinish> {
  const reader = new AiSdkParts(sink);
  for (;;) {
    let next: Awaited<ReturnType<typeof parts.read>>;
    try {
      next = await parts.read();
    } catch (error) {
      throw toModelError(error, redact, droppedError);
    }
    ended.throwIfAborted();
    if (next.done) throw droppedError();
    const part = next.value;
    // The SDK makes this one before it has heard anything.
    if (part.type !== 'stream-start') stall.progress();
    if (part.type === 'finish') return readFinish(part);
    if (part.type === 'error') throw toModelError(part.error, redact);
    if (!reader.put(part)) {
      stall.pause();
      await sink.drain();
      ended.throwIfAborted();
      stall.resume();
    }
  }
}
