import type { LanguageModelV4, LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider';
import type { Usage } from '@llmgine/protocol';
import { toModelError } from './ai-sdk-error.ts';
import { callOptions } from './ai-sdk-prompt.ts';
import { makeUsage, parseArguments } from './chat-answer.ts';
import { createRedact, droppedError, modelError, type Redact, stallError } from './model-error.ts';
import { MODEL_TIMEOUTS, type ModelTimeouts, StallTimer } from './stall-timer.ts';
import type { FinishReason, Model, ModelFinish, ModelProvider, ModelRequest, ModelSink } from './types.ts';

export interface AiSdkProviderOptions {
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
      return new AiSdkModel(`${name}:${model}`, async () => options.model(model), timeouts, redact);
    },
  };
}

class AiSdkModel implements Model {
  readonly id: string;
  readonly #load: () => Promise<LanguageModelV4>;
  readonly #timeouts: ModelTimeouts;
  readonly #redact: Redact;
  #model: Promise<LanguageModelV4> | undefined;

  constructor(id: string, load: () => Promise<LanguageModelV4>, timeouts: ModelTimeouts, redact: Redact) {
    this.id = id;
    this.#load = load;
    this.#timeouts = timeouts;
    this.#redact = redact;
  }

  stream(request: ModelRequest, sink: ModelSink, signal: AbortSignal): Promise<ModelFinish> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      // A model of somebody else may be slow to notice the end of its signal, so the race is decided here.
      const ended = new AbortController();
      const stall = new StallTimer(this.#timeouts, (ms) => settle(() => reject(stallError(ms))));
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
    let parts: ReadableStreamDefaultReader<LanguageModelV4StreamPart>;
    try {
      const model = await this.#loaded();
      parts = (await model.doStream(callOptions(request, ended))).stream.getReader();
    } catch (error) {
      throw toModelError(error, this.#redact);
    }
    // Also when the model does not watch its signal, or when it began to answer only after the end.
    const cancel = () => void parts.cancel().catch(() => undefined);
    if (ended.aborted) cancel();
    else ended.addEventListener('abort', cancel);
    return readParts(parts, sink, stall, ended, this.#redact);
  }

  #loaded(): Promise<LanguageModelV4> {
    this.#model ??= this.#load().catch((error: unknown) => {
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
    if (part.type === 'finish') {
      return { finishReason: finishReason(part.finishReason.unified), usage: readUsage(part.usage) };
    }
    if (part.type === 'error') throw toModelError(part.error, redact);
    if (!put(part, sink)) {
      stall.pause();
      await sink.drain();
      ended.throwIfAborted();
      stall.resume();
    }
  }
}

/** False when the sink is full. Parts that are not for us count as taken. */
function put(part: LanguageModelV4StreamPart, sink: ModelSink): boolean {
  switch (part.type) {
    case 'text-delta':
      return part.delta === '' || sink.text(part.delta);
    case 'reasoning-delta':
      return part.delta === '' || sink.reasoning(part.delta);
    case 'tool-call':
      // The provider runs it itself: there is nothing to do for us.
      if (part.providerExecuted) return true;
      return sink.toolCall({
        toolCallId: part.toolCallId,
        toolName: part.toolName,
        arguments: parseArguments(part.input),
      });
    default:
      return true;
  }
}

/** Throws for reasons that mean that there is no whole answer. */
function finishReason(
  reason: Extract<LanguageModelV4StreamPart, { type: 'finish' }>['finishReason']['unified'],
): FinishReason {
  switch (reason) {
    case 'tool-calls':
      return 'tool_calls';
    case 'content-filter':
      return 'content_filter';
    case 'interrupted':
      throw droppedError();
    case 'error':
      throw modelError('The model provider stopped because of an error');
    default:
      return reason;
  }
}

function readUsage({ inputTokens, outputTokens }: LanguageModelV4Usage): Usage | null {
  if (inputTokens.total === undefined && outputTokens.total === undefined) return null;
  return makeUsage({
    input: inputTokens.total,
    output: outputTokens.total,
    cached: inputTokens.cacheRead,
    reasoning: outputTokens.reasoning,
  });
}
