/**
 * The model contract. It is push-based: an adapter calls the sink for each piece, synchronously, and nothing on the
 * token path awaits unless the sink asks for it.
 */
import type { Json, JsonObject, Message, Usage } from '@llmgine/protocol';

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: JsonObject;
}

export interface ModelRequest {
  readonly system?: string;
  /** The conversation, oldest first. `reasoning` parts may be dropped by a provider that does not take them back. */
  readonly messages: readonly Pick<Message, 'role' | 'parts'>[];
  readonly tools?: readonly ToolSpec[];
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly stopSequences?: readonly string[];
}

export interface ModelToolCall {
  readonly toolCallId: string;
  readonly toolName: string;
  /** Parsed arguments; when the model wrote no valid JSON, the text as it came. */
  readonly arguments: Json;
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
  drain(): Promise<void>;
}

export const FINISH_REASONS = ['stop', 'length', 'tool_calls', 'content_filter', 'other'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

export interface ModelFinish {
  readonly finishReason: FinishReason;
  /** As the provider counted; null when it did not say. */
  readonly usage: Usage | null;
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
}
