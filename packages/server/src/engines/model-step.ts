import { randomUUID } from 'node:crypto';
import {
  appendText,
  type Json,
  type Message,
  type MessagePart,
  messageText,
  type Usage,
} from '@llmgine/protocol';
import { modelError } from '../models/model-error.ts';
import { estimateTokens } from '../models/token-estimate.ts';
import type {
  FinishReason,
  Model,
  ModelFinish,
  ModelRequest,
  ModelSink,
  ModelToolCall,
} from '../models/types.ts';
import { isShallow } from './json-depth.ts';
import type { EngineContext } from './types.ts';

/** Characters of one answer, which is kept whole until it ends: a model that never ends must not take all memory. */
const MAX_ANSWER = 8 * 1024 * 1024;
/** Each is kept with its result, and told to everybody who watches. */
const MAX_TOOL_CALLS = 1000;

export interface ModelStep {
  readonly message: Message;
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: FinishReason;
  readonly usage: Usage | null;
}

/**
 * One call of a model as a step of the run: streams what it says into the session's log as one assistant message.
 * Emits `step_started`, the message with its deltas, and `step_finished`, which is a checkpoint. Rejects with what the
 * model rejects with, and with `MODEL_ERROR` when the answer has no end; the run then withdraws the half-streamed message.
 */
export async function streamModelStep(
  context: EngineContext,
  model: Model,
  request: ModelRequest,
  options: { readonly step?: number; readonly metadata?: Message['metadata'] } = {},
): Promise<ModelStep> {
  const step = options.step ?? 1;
  const messageId = `msg_${randomUUID()}`;
  const createdAt = new Date().toISOString();
  const parts: MessagePart[] = [];
  const toolCalls: ModelToolCall[] = [];
  const callIds = new Map<string, number>();
  let started = false;
  let length = 0;
  let called = 0;

  const begin = () => {
    if (started) return;
    started = true;
    context.emit({ event_type: 'message_started', payload: { message_id: messageId, role: 'assistant' } });
  };
  const piece = (type: 'text' | 'reasoning', text: string): boolean => {
    if (text === '') return true;
    length += text.length;
    // The model then asks for room, and hears that there is none.
    if (length > MAX_ANSWER) return false;
    begin();
    appendText(parts, type, text);
    return context.emit({
      event_type: type === 'text' ? 'text_delta' : 'reasoning_delta',
      payload: { message_id: messageId, text },
    });
  };
  const checkLimits = () => {
    if (length > MAX_ANSWER) throw modelError(`The model said more than ${MAX_ANSWER} characters`);
    if (called > MAX_TOOL_CALLS) {
      throw modelError(`The model called more than ${MAX_TOOL_CALLS} tools in one answer`);
    }
  };
  const sink: ModelSink = {
    text: (delta) => piece('text', delta),
    reasoning: (delta) => piece('reasoning', delta),
    toolCall: (given) => {
      const written = JSON.stringify(given.arguments);
      length += given.toolName.length + written.length;
      if (length > MAX_ANSWER || ++called > MAX_TOOL_CALLS) return false;
      const call = {
        ...given,
        toolCallId: freeId(given.toolCallId, callIds),
        // As text it fits no tool, which the model is then told.
        arguments: isShallow(given.arguments) ? given.arguments : written,
      };
      begin();
      toolCalls.push(call);
      parts.push({
        type: 'tool_call',
        tool_call_id: call.toolCallId,
        tool_name: call.toolName,
        arguments: call.arguments,
        ...(call.providerMetadata === undefined ? {} : { provider_metadata: call.providerMetadata }),
      });
      return true;
    },
    metadata: (kind, metadata) => {
      begin();
      const last = parts.at(-1);
      if (last?.type === kind && last.provider_metadata === undefined) last.provider_metadata = metadata;
      else parts.push({ type: kind, text: '', provider_metadata: metadata });
    },
    notice: (text) => void context.emit({ event_type: 'status', payload: { text } }),
    drain: async () => {
      checkLimits();
      await context.drain();
    },
  };

  const finish = await callModel(context, model, request, sink, step);
  const { finishReason, usage, model: answeredBy = model.id } = finish;
  checkLimits();
  begin();
  const message: Message = {
    message_id: messageId,
    role: 'assistant',
    run_id: context.runId,
    parts,
    created_at: createdAt,
    metadata: { ...options.metadata, model: answeredBy, finish_reason: finishReason },
  };
  context.emit({ event_type: 'message_completed', payload: message });
  context.emit({ event_type: 'step_finished', payload: { step, usage, finish_reason: finishReason } });
  await context.drain();
  return { message, text: messageText(message), toolCalls, finishReason, usage };
}

/**
 * One call of a model as a step whose answer is for the engine: what it says goes into the sink, and what comes of it is
 * the caller's to emit, with `step_finished`.
 */
export async function callModel(
  context: EngineContext,
  model: Model,
  request: ModelRequest,
  sink: ModelSink,
  step: number,
): Promise<ModelFinish> {
  context.emit({ event_type: 'step_started', payload: { step, model: model.id } });
  const maxOutputTokens = await context.reserve({
    model: model.id,
    inputTokens: estimateTokens(request),
    ...(request.maxOutputTokens === undefined ? {} : { maxOutputTokens: request.maxOutputTokens }),
  });
  const limited = maxOutputTokens === undefined ? request : { ...request, maxOutputTokens };
  return model.stream(limited, sink, context.signal);
}

/**
 * Some servers use one id for several calls of an answer; each needs its own, for its result. `taken`: the ids, with the
 * last number that was put behind each, because it may be the same id a thousand times.
 */
function freeId(id: string, taken: Map<string, number>): string {
  let free = id;
  for (let n = taken.get(id) ?? 1; taken.has(free); free = `${id}_${n}`) taken.set(id, ++n);
  taken.set(free, 1);
  return free;
}

/** What `prompt` answers as the `result` of its run: the message of its last step. */
export function promptResult({ message }: Pick<ModelStep, 'message'>): Json {
  return {
    text: messageText(message),
    message_id: message.message_id,
    finish_reason: message.metadata.finish_reason ?? null,
  };
}

/** The messages that finished steps of this run have left in the conversation, without what the person said. */
export function finishedMessages(history: readonly Message[], runId: string): readonly Message[] {
  return history.filter((message) => message.run_id === runId && message.role !== 'user');
}
