/** Reads what the OpenAI chat-completions wire answers, piece by piece. What a provider sends is not trusted to be well formed. */
import { randomUUID } from 'node:crypto';
import type { Json, JsonObject, Usage } from '@llmgine/protocol';
import { limitError, modelError } from './model-error.ts';
import type { SinkGate } from './sink-gate.ts';
import type { FinishReason, ModelFinish } from './types.ts';

export interface WireToolCall {
  readonly index?: number;
  readonly id?: unknown;
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown } | null;
  /** What some servers want back with the call, for example Gemini's thought signatures. */
  readonly extra_content?: unknown;
}

export interface WireDelta {
  readonly content?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly refusal?: unknown;
  readonly tool_calls?: readonly WireToolCall[] | null;
}

interface WireUsage {
  readonly prompt_tokens?: unknown;
  readonly completion_tokens?: unknown;
  readonly total_tokens?: unknown;
  readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null;
  readonly completion_tokens_details?: { readonly reasoning_tokens?: unknown } | null;
}

/** A chunk of a stream, with `delta`, or a whole answer, with `message`. */
export interface WireChunk {
  readonly choices?: readonly {
    readonly delta?: WireDelta | null;
    readonly message?: WireDelta | null;
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: WireUsage | null;
  readonly error?: unknown;
  readonly object?: unknown;
}

interface CallInProgress {
  id: string | undefined;
  name: string | undefined;
  text: string;
  /** Arguments that came as a JSON value instead of its text. */
  value: Json | undefined;
  extra: Json | undefined;
}

/** Characters of tool arguments: they are collected, so the sink cannot hold them back. */
export const MAX_ARGUMENTS = 8 * 1024 * 1024;
/** Of one answer. */
const MAX_CALLS = 1000;
const REASONING_FIELDS = ['reasoning_content', 'reasoning'] as const;

const FINISH: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
};

export class ChatAnswer {
  readonly #gate: SinkGate;
  readonly #provider: string;
  /** The name under which reasoning comes, while it does. */
  #reasoningField: (typeof REASONING_FIELDS)[number] | undefined;
  readonly #calls: CallInProgress[] = [];
  readonly #callByIndex = new Map<number, CallInProgress>();
  #collected = 0;
  #finishReason: string | undefined;
  #refused = false;
  #usage: WireUsage | undefined;

  /** @param provider The name under which the provider finds again what it wants back. */
  constructor(gate: SinkGate, provider: string) {
    this.#gate = gate;
    this.#provider = provider;
  }

  /** The provider has said why it stopped: nothing of the answer is missing. */
  get isComplete(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Throws when the chunk has a shape that makes no sense. */
  add(chunk: WireChunk): void {
    const choice = chunk.choices?.[0];
    if (choice) {
      const delta = choice.delta ?? choice.message;
      if (delta) this.#addDelta(delta);
      if (choice.finish_reason) this.#finishReason = choice.finish_reason;
    }
    if (chunk.usage) this.#usage = chunk.usage;
  }

  /** Puts the tool calls, which are complete only now. Throws when one has no name. */
  finish(): ModelFinish {
    this.#endReasoning();
    for (const call of this.#calls) {
      if (call.name === undefined) throw new TypeError('a tool call without a name');
      this.#gate.toolCall({
        toolCallId: call.id ?? `call_${randomUUID()}`,
        toolName: call.name,
        arguments: call.value ?? parseArguments(call.text),
        ...(call.extra === undefined
          ? {}
          : { providerMetadata: { [this.#provider]: { extra_content: call.extra } } }),
      });
    }
    return { finishReason: this.#unifiedReason(), usage: readUsage(this.#usage) };
  }

  #addDelta(delta: WireDelta): void {
    this.#addReasoning(delta);
    const { content, refusal } = delta;
    if (typeof content === 'string') this.#addText(content);
    else if (Array.isArray(content)) {
      for (const part of content) if (typeof part?.text === 'string') this.#addText(part.text);
    }
    if (typeof refusal === 'string' && refusal !== '') {
      this.#refused = true;
      this.#addText(refusal);
    }
    if (delta.tool_calls) for (const call of delta.tool_calls) this.#addToolCall(call);
  }

  #addText(text: string): void {
    if (text === '') return;
    this.#endReasoning();
    this.#gate.text(text);
  }

  #addReasoning(delta: WireDelta): void {
    // Some servers say it under both names.
    const field = REASONING_FIELDS.find((name) => typeof delta[name] === 'string' && delta[name] !== '');
    if (field === undefined) return;
    if (field !== this.#reasoningField) this.#endReasoning();
    this.#reasoningField = field;
    this.#gate.reasoning(delta[field] as string);
  }

  #endReasoning(): void {
    if (this.#reasoningField === undefined) return;
    const metadata: JsonObject = { [this.#provider]: { field: this.#reasoningField } };
    this.#reasoningField = undefined;
    this.#gate.metadata('reasoning', metadata);
  }

  #addToolCall(delta: WireToolCall): void {
    const id = nameOf(delta.id);
    const name = nameOf(delta.function?.name);
    this.#collect(`${id ?? ''}${name ?? ''}`);
    const call = this.#callOf(delta.index, id, name);
    call.id ??= id;
    call.name ??= name;
    if (delta.extra_content) {
      this.#collect(JSON.stringify(delta.extra_content));
      call.extra = delta.extra_content as Json;
    }
    const piece = delta.function?.arguments;
    if (typeof piece === 'string') {
      this.#collect(piece);
      call.text += piece;
    } else if (piece !== undefined && piece !== null) {
      this.#collect(JSON.stringify(piece));
      call.value = piece as Json;
    }
  }

  #collect({ length }: string): void {
    this.#collected += length;
    if (this.#collected > MAX_ARGUMENTS) throw limitError('tool arguments', MAX_ARGUMENTS);
  }

  /** By index; but some servers send none, or the same one for parallel calls that differ in id and name. */
  #callOf(index: number | undefined, id: string | undefined, name: string | undefined): CallInProgress {
    const known = index === undefined ? this.#calls.at(-1) : this.#callByIndex.get(index);
    const isAnother =
      known !== undefined &&
      id !== undefined &&
      name !== undefined &&
      known.id !== undefined &&
      known.id !== id;
    if (known && !isAnother) return known;
    if (this.#calls.length === MAX_CALLS)
      throw modelError(`The model called more than ${MAX_CALLS} tools at once`);
    const call: CallInProgress = {
      id: undefined,
      name: undefined,
      text: '',
      value: undefined,
      extra: undefined,
    };
    this.#calls.push(call);
    if (index !== undefined) this.#callByIndex.set(index, call);
    return call;
  }

  #unifiedReason(): FinishReason {
    const said = this.#finishReason ?? '';
    const reason = (Object.hasOwn(FINISH, said) ? FINISH[said] : undefined) ?? 'other';
    if (reason === 'stop' && this.#refused) return 'content_filter';
    // Not every server says `tool_calls` when it calls tools.
    if ((reason === 'stop' || reason === 'other') && this.#calls.length > 0) return 'tool_calls';
    return reason;
  }
}

/** An id or a name, if it is one; some servers count their calls with numbers. */
function nameOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Arguments as JSON; nothing at all is no arguments, and what is no JSON stays the text that it was. */
export function parseArguments(text: string): Json {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function readUsage(usage: WireUsage | undefined): Usage | null {
  if (usage === undefined) return null;
  const input = count(usage.prompt_tokens);
  const output = count(usage.completion_tokens);
  if (input === undefined && output === undefined) return null;
  return makeUsage({
    input,
    output,
    total: count(usage.total_tokens),
    cached: count(usage.prompt_tokens_details?.cached_tokens),
    reasoning: count(usage.completion_tokens_details?.reasoning_tokens),
  });
}

export function makeUsage(counts: {
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly total?: number | undefined;
  readonly cached?: number | undefined;
  readonly reasoning?: number | undefined;
}): Usage {
  const { input = 0, output = 0, total = input + output, cached, reasoning } = counts;
  return {
    input_tokens: input,
    output_tokens: output,
    total_tokens: total,
    ...(cached === undefined ? {} : { cached_input_tokens: cached }),
    ...(reasoning === undefined ? {} : { reasoning_tokens: reasoning }),
  };
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}
