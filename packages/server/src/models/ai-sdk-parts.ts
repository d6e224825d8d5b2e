/** What a `LanguageModelV4` streams, into our sink. */
import type {
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
} from '@ai-sdk/provider';
import type { JsonObject, Usage } from '@llmgine/protocol';
import { MAX_ARGUMENTS, makeUsage, parseArguments } from './chat-answer.ts';
import { droppedError, limitError, modelError } from './model-error.ts';
import type { FinishReason, ModelFinish, ModelSink } from './types.ts';

type FinishPart = Extract<LanguageModelV4StreamPart, { type: 'finish' }>;

/** Characters of what the provider wants back with an answer. */
const MAX_METADATA = 8 * 1024 * 1024;

export class AiSdkParts {
  readonly #sink: ModelSink;
  /** What the blocks that are open have been given as metadata, and the sink not yet. */
  readonly #metadata = new Map<string, JsonObject>();
  #argumentsLength = 0;
  #metadataLength = 0;

  constructor(sink: ModelSink) {
    this.#sink = sink;
  }

  /** False when the sink is full. Parts that are not for us count as taken. */
  put(part: LanguageModelV4StreamPart): boolean {
    switch (part.type) {
      case 'text-start':
      case 'reasoning-start':
        this.#remember(part.id, part.providerMetadata);
        return true;
      case 'text-delta':
        return this.#delta('text', part);
      case 'reasoning-delta':
        return this.#delta('reasoning', part);
      case 'text-end':
        return this.#end('text', part);
      case 'reasoning-end':
        return this.#end('reasoning', part);
      case 'tool-input-delta':
        // The SDK collects them, so the sink cannot hold them back.
        this.#argumentsLength += part.delta.length;
        if (this.#argumentsLength > MAX_ARGUMENTS) throw limitError('tool arguments', MAX_ARGUMENTS);
        return true;
      case 'tool-call':
        // The provider runs it itself: there is nothing to do for us.
        if (part.providerExecuted) return true;
        return this.#sink.toolCall({
          toolCallId: part.toolCallId,
          toolName: part.toolName,
          arguments: parseArguments(part.input),
          ...(part.providerMetadata === undefined
            ? {}
            : { providerMetadata: part.providerMetadata as JsonObject }),
        });
      default:
        return true;
    }
  }

  /** Metadata with a delta belongs to what was said up to here: a signature, after which another piece may follow. */
  #delta(
    kind: 'text' | 'reasoning',
    part: {
      readonly id: string;
      readonly delta: string;
      readonly providerMetadata?: SharedV4ProviderMetadata;
    },
  ): boolean {
    const put = part.delta === '' || this.#sink[kind](part.delta);
    if (part.providerMetadata !== undefined) {
      this.#remember(part.id, part.providerMetadata);
      this.#end(kind, { id: part.id });
    }
    return put;
  }

  #end(
    kind: 'text' | 'reasoning',
    part: { readonly id: string; readonly providerMetadata?: SharedV4ProviderMetadata },
  ): true {
    this.#remember(part.id, part.providerMetadata);
    const metadata = this.#metadata.get(part.id);
    this.#metadata.delete(part.id);
    if (metadata === undefined) return true;
    // Reasoning that a provider keeps to itself is nothing but metadata, and the sink never refuses it.
    this.#metadataLength += JSON.stringify(metadata).length;
    if (this.#metadataLength > MAX_METADATA) throw limitError('metadata', MAX_METADATA);
    this.#sink.metadata(kind, metadata);
    return true;
  }

  #remember(id: string, metadata: SharedV4ProviderMetadata | undefined): void {
    if (metadata === undefined) return;
    const merged: Record<string, object> = { ...this.#metadata.get(id) } as Record<string, object>;
    for (const [provider, fields] of Object.entries(metadata)) {
      merged[provider] = { ...merged[provider], ...fields };
    }
    this.#metadata.set(id, merged as JsonObject);
  }
}

/** Throws for reasons that mean that there is no whole answer. */
export function readFinish({ finishReason, usage }: FinishPart): ModelFinish {
  return { finishReason: unifiedReason(finishReason.unified), usage: readUsage(usage) };
}

function unifiedReason(reason: FinishPart['finishReason']['unified']): FinishReason {
  switch (reason) {
    case 'tool-calls':
      return 'tool_calls';
    case 'content-filter':
      return 'content_filter';
    case 'interrupted':
      throw droppedError();
    case 'error':
      // For example a tool call that the model has not got right; the next time it may.
      throw modelError('The model provider stopped because of an error', { remedy: 'again' });
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
