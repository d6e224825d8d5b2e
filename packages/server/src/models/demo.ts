import { ApiError, type Usage } from '@llmgine/protocol';
import { type DemoPiece, demoAnswer } from './demo-answer.ts';
import { demoTranscription } from './transcription-demo.ts';
import type { Model, ModelFinish, ModelProvider, ModelRequest, ModelSink } from './types.ts';

/** Milliseconds between two words, by model name. */
const SPEEDS: ReadonlyMap<string, number> = new Map([
  ['demo', 15],
  ['fast', 0],
  ['slow', 200],
]);
/** Words that are put at once where there is no delay: the event loop gets its turn in between. */
const GROUP = 8;

/**
 * The provider `demo`: a small deterministic model without network and key. `demo:demo` (or just `demo`) says a word
 * every 15 ms, `demo:fast` has no delay, `demo:slow` takes 200 ms a word.
 */
export function demo(): ModelProvider {
  return {
    name: 'demo',
    model: (name) => {
      const speed = name === '' ? 'demo' : name;
      const delay = SPEEDS.get(speed);
      if (delay === undefined) {
        const known = [...SPEEDS.keys()].map((model) => `demo:${model}`).join(', ');
        throw new ApiError('VALIDATION_ERROR', `There is no such demo model; there are: ${known}`);
      }
      return new DemoModel(`demo:${speed}`, delay);
    },
    transcriptionModel: demoTranscription,
  };
}

class DemoModel implements Model {
  readonly id: string;
  readonly #delay: number;

  constructor(id: string, delay: number) {
    this.id = id;
    this.#delay = delay;
  }

  stream(request: ModelRequest, sink: ModelSink, signal: AbortSignal): Promise<ModelFinish> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const speech = new Speech(request, sink);
      const clock = startClock(this.#delay, () => {
        const full = !speech.speak(this.#delay === 0 ? GROUP : 1, signal);
        if (signal.aborted) return;
        if (speech.finish !== undefined) end(() => resolve(speech.finish as ModelFinish));
        else if (full) sink.drain().then(clock.next, (error) => end(() => reject(error)));
        else clock.next();
      });
      const onAbort = () => end(() => reject(signal.reason));
      const end = (outcome: () => void) => {
        clock.stop();
        signal.removeEventListener('abort', onAbort);
        outcome();
      };
      signal.addEventListener('abort', onAbort);
    });
  }
}

/** Calls `tick` once, and once more after each `next()`. One timer for all of it. */
function startClock(delay: number, tick: () => void): { next: () => void; stop: () => void } {
  let stopped = false;
  if (delay === 0) {
    let turn = setImmediate(tick);
    return {
      next: () => {
        if (!stopped) turn = setImmediate(tick);
      },
      stop: () => {
        stopped = true;
        clearImmediate(turn);
      },
    };
  }
  const timer = setTimeout(tick, delay);
  return {
    next: () => {
      if (!stopped) timer.refresh();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** One answer on its way into a sink, word by word. A word is a token, and a tool call counts as its words do. */
class Speech {
  readonly #sink: ModelSink;
  readonly #pieces: DemoPiece[];
  readonly #limit: number;
  readonly #inputTokens: number;
  #words: string[] = [];
  #kind: 'text' | 'reasoning' = 'text';
  #outputTokens = 0;
  #reasoningTokens = 0;
  #called = false;
  finish: ModelFinish | undefined;

  constructor(request: ModelRequest, sink: ModelSink) {
    this.#sink = sink;
    this.#pieces = demoAnswer(request).reverse();
    this.#limit = request.maxOutputTokens ?? Number.POSITIVE_INFINITY;
    this.#inputTokens = countInput(request);
    this.#load();
  }

  /** At most so many words or calls. False when the sink is full and there is more to say. */
  speak(count: number, signal: AbortSignal): boolean {
    for (let n = 0; n < count && !signal.aborted; n++) {
      if (this.#outputTokens >= this.#limit) {
        this.#finish('length');
        return true;
      }
      const taken = this.#one();
      if (!this.#load()) {
        this.#finish(this.#called ? 'tool_calls' : 'stop');
        return true;
      }
      if (!taken) return false;
    }
    return true;
  }

  /** Sees to it that there is a word or a call to say; false at the end. */
  #load(): boolean {
    while (this.#words.length === 0) {
      const piece = this.#pieces.at(-1);
      if (piece === undefined) return false;
      if (piece.kind === 'tool_call') return true;
      this.#pieces.pop();
      this.#kind = piece.kind;
      this.#words = words(piece.text).reverse();
    }
    return true;
  }

  #one(): boolean {
    const word = this.#words.pop();
    if (word !== undefined) {
      this.#outputTokens++;
      if (this.#kind === 'text') return this.#sink.text(word);
      this.#reasoningTokens++;
      return this.#sink.reasoning(word);
    }
    const piece = this.#pieces.pop();
    if (piece?.kind !== 'tool_call') return true;
    this.#called = true;
    this.#outputTokens += words(JSON.stringify(piece.call.arguments)).length;
    return this.#sink.toolCall(piece.call);
  }

  #finish(finishReason: ModelFinish['finishReason']): void {
    const usage: Usage = {
      input_tokens: this.#inputTokens,
      output_tokens: this.#outputTokens,
      total_tokens: this.#inputTokens + this.#outputTokens,
      ...(this.#reasoningTokens === 0 ? {} : { reasoning_tokens: this.#reasoningTokens }),
    };
    this.finish = { finishReason, usage };
  }
}

/** Words with the space behind them, so that they make the text again when put together. */
function words(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\s)(?=\S)/);
}

function countInput({ system = '', messages }: ModelRequest): number {
  let count = words(system).length;
  for (const { parts } of messages) {
    for (const part of parts) {
      if (part.type === 'text') count += words(part.text).length;
      else if (part.type === 'tool_result') count += words(JSON.stringify(part.result)).length;
    }
  }
  return count;
}
