import { type Json, messageText, type Usage } from '@llmgine/protocol';
import { modelError } from '../models/model-error.ts';
import type {
  FinishReason,
  ModelFinish,
  ModelProvider,
  ModelRequest,
  ModelSink,
  ModelToolCall,
} from '../models/types.ts';
import { untilAborted } from '../models/until-aborted.ts';
import type { Gate } from './gate.ts';

const MAX_QUOTE = 100;

export interface ScriptedToolCall {
  readonly name: string;
  /** Default `{}`. */
  readonly arguments?: Json;
  /** Default: `call_1`, `call_2` and so on. */
  readonly id?: string;
}

/** `total_tokens` is the sum, when it is left out. */
export type ScriptedUsage = Omit<Usage, 'total_tokens'> & Partial<Pick<Usage, 'total_tokens'>>;

/** One answer of the model. What it has of these is said in this order. */
export interface ScriptedAnswer {
  /** Holds the answer before its first piece. */
  readonly before?: Gate;
  /** Whole, or in the pieces in which it is streamed. */
  readonly reasoning?: string | readonly string[];
  readonly text?: string | readonly string[];
  /** The calls of one answer, which engines may execute side by side. */
  readonly toolCalls?: readonly ScriptedToolCall[];
  /** Holds the answer after its last piece, before it ends. */
  readonly after?: Gate;
  /** It fails with this instead of ending; a text is the message of a `MODEL_ERROR` that nothing can mend. */
  readonly error?: Error | string;
  /** Default: the provider does not say. */
  readonly usage?: ScriptedUsage;
  /** Default: `tool_calls` when there are some, else `stop`. */
  readonly finishReason?: FinishReason;
}

/** An answer, or just its text; or what makes it from the request. */
export type ScriptedTurn = string | ScriptedAnswer | ((request: ModelRequest) => string | ScriptedAnswer);

/** What the model was asked, as it was then. */
export interface ScriptedRequest extends ModelRequest {
  /** `provider:model`. */
  readonly model: string;
}

export interface ScriptedModel extends ModelProvider {
  /** In the order in which they came. */
  readonly requests: readonly ScriptedRequest[];
  /** Answers that no request has had yet. A test of the whole script ends with 0. */
  readonly left: number;
  /** Goes on with the script. */
  add(...turns: readonly ScriptedTurn[]): void;
}

/**
 * A model provider that says what a test has written down: each request takes the next answer. A request for which there
 * is none left fails with a `MODEL_ERROR` that says so.
 *
 * @param options.name Of the provider; default `scripted`.
 *
 * @example
 * const model = scriptedModel([
 *   { toolCalls: [{ name: 'stock', arguments: { article: 'apples' } }] },
 *   'There are twelve.',
 * ]);
 */
export function scriptedModel(
  turns: readonly ScriptedTurn[] = [],
  { name = 'scripted' }: { readonly name?: string } = {},
): ScriptedModel {
  return new Script(name, turns);
}

class Script implements ScriptedModel {
  readonly name: string;
  readonly requests: ScriptedRequest[] = [];
  readonly #turns: ScriptedTurn[];
  #calls = 0;

  constructor(name: string, turns: readonly ScriptedTurn[]) {
    this.name = name;
    this.#turns = [...turns];
  }

  get left(): number {
    return this.#turns.length;
  }

  add(...turns: readonly ScriptedTurn[]): void {
    this.#turns.push(...turns);
  }

  model(name: string) {
    const id = `${this.name}:${name === '' ? 'model' : name}`;
    return {
      id,
      stream: (request: ModelRequest, sink: ModelSink, signal: AbortSignal) =>
        this.#stream(id, request, sink, signal),
    };
  }

  async #stream(
    id: string,
    request: ModelRequest,
    sink: ModelSink,
    signal: AbortSignal,
  ): Promise<ModelFinish> {
    signal.throwIfAborted();
    // Engines go on with the same list of messages.
    this.requests.push({ ...structuredClone(request), model: id });
    const answer = this.#next(request);
    await answer.before?.pass(signal);
    for (const put of this.#pieces(answer, sink)) {
      signal.throwIfAborted();
      if (!put()) await untilAborted(sink.drain(), signal);
    }
    signal.throwIfAborted();
    await answer.after?.pass(signal);
    const { error, usage, toolCalls = [] } = answer;
    if (error !== undefined)
      throw typeof error === 'string' ? modelError(error, { remedy: 'nothing' }) : error;
    return {
      finishReason: answer.finishReason ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop'),
      usage: usage ? { total_tokens: usage.input_tokens + usage.output_tokens, ...usage } : null,
    };
  }

  #next(request: ModelRequest): ScriptedAnswer {
    const turn = this.#turns.shift();
    if (turn === undefined) {
      const said = messageText(request.messages.at(-1) ?? { parts: [] });
      throw modelError(
        `The script has no answer for request ${this.requests.length}, which ends with ${JSON.stringify(said.slice(0, MAX_QUOTE))}`,
        { remedy: 'nothing' },
      );
    }
    const answer = typeof turn === 'function' ? turn(request) : turn;
    return typeof answer === 'string' ? { text: answer } : answer;
  }

  *#pieces({ reasoning, text, toolCalls = [] }: ScriptedAnswer, sink: ModelSink): Iterable<() => boolean> {
    for (const piece of piecesOf(reasoning)) yield () => sink.reasoning(piece);
    for (const piece of piecesOf(text)) yield () => sink.text(piece);
    for (const call of toolCalls) {
      const put: ModelToolCall = {
        toolCallId: call.id ?? `call_${++this.#calls}`,
        toolName: call.name,
        arguments: call.arguments ?? {},
      };
      yield () => sink.toolCall(put);
    }
  }
}

function piecesOf(text: string | readonly string[] = []): readonly string[] {
  return typeof text === 'string' ? [text] : text;
}
