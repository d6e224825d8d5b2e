/**
 * The model contract. It is push-based: an adapter calls the sink for each piece, synchronously, and nothing on the
 * token path awaits unless the sink asks for it.
 */
import type { Json, JsonObject, Message, Usage } from '@llmgine/protocol';
import type { TranscriptionModel } from './transcription.ts';

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: JsonObject;
}

export interface ModelRequest {
  readonly system?: string;
  /**
   * The conversation, oldest first. `metadata.model` of a message says who wrote it: `reasoning` parts and
   * `provider_metadata` go back only to the provider that they came from.
   */
  readonly messages: readonly (Pick<Message, 'role' | 'parts'> & Partial<Pick<Message, 'metadata'>>)[];
  readonly tools?: readonly ToolSpec[];
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly stopSequences?: readonly string[];
  /** How much a model that can reason should; a provider that does not know it leaves it out. Default: as it likes. */
  readonly reasoningEffort?: ReasoningEffort;
  /** `required`: it has to call a tool. Default `auto`. */
  readonly toolChoice?: 'auto' | 'required' | 'none';
  /** The answer is to be JSON of this JSON Schema. A provider that cannot be made to may ignore it: check the answer. */
  readonly responseFormat?: { readonly name: string; readonly schema: JsonObject };
}

export const REASONING_EFFORTS = ['none', 'minimal', 'low', 'medium', 'high'] as const;
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number];

export interface ModelToolCall {
  readonly toolCallId: string;
  readonly toolName: string;
  /** Parsed arguments; when the model wrote no valid JSON, the text as it came. */
  readonly arguments: Json;
  /** What the provider wants back with the call, by provider. */
  readonly providerMetadata?: JsonObject;
}

/**
 * Where a model puts what it says. Each call returns false when the sink is full: the adapter MUST then await `drain()`
 * before it reads on. A sink never throws.
 */
export interface ModelSink {
  text(delta: string): boolean;
  reasoning(delta: string): boolean;
  /** Called once per call, when its arguments are complete. */
  toolCall(call: ModelToolCall): boolean;
  /**
   * What the provider wants back with the piece of this kind that was put last, by provider; the next piece begins a part
   * of its own. With nothing put before, it is a part without text (reasoning that the provider keeps to itself).
   */
  metadata(kind: 'text' | 'reasoning', metadata: JsonObject): void;
  /** What people may hear while nothing comes, for example that the call is tried again. */
  notice(text: string): void;
  drain(): Promise<void>;
}

export const FINISH_REASONS = ['stop', 'length', 'tool_calls', 'content_filter', 'other'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

export interface ModelFinish {
  readonly finishReason: FinishReason;
  /** As the provider counted; null when it did not say. */
  readonly usage: Usage | null;
  /** `provider:model` that answered, when it is not the one that was asked. */
  readonly model?: string;
}

export interface Model {
  /** `provider:model`, as configured. */
  readonly id: string;
  /**
   * One call of the model. Resolves after the last piece was put into the sink. Rejects with `ApiError` `MODEL_ERROR`
   * whose message holds what the provider said, never a credential or a stack; when `signal` aborts, it MUST end the
   * provider's request at once and reject with the signal's reason. It MUST NOT call the sink after it settled.
   */
  stream(request: ModelRequest, sink: ModelSink, signal: AbortSignal): Promise<ModelFinish>;
}

/** Makes models of one provider. */
export interface ModelProvider {
  readonly name: string;
  /** Throws `ApiError` `VALIDATION_ERROR` when there can be no such model. Does no I/O. */
  model(name: string): Model;
  /** Of a provider that turns speech into text. Throws `VALIDATION_ERROR` when there can be no such model. Does no I/O. */
  transcriptionModel?(name: string): TranscriptionModel;
}
