import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '@llmgine/protocol';
import { modelError } from '../models/model-error.ts';
import type { Model, ModelFinish, ModelProvider, ModelRequest, ModelSink } from '../models/types.ts';
import { untilAborted } from '../models/until-aborted.ts';
import { comparable, digestOf, firstDifference } from './comparable-request.ts';
import { type RecordedCall, type RecordedPiece, readRecording, toError } from './recording.ts';

export interface ReplayOptions {
  /** 1 is as it was, 2 twice as fast, 0 at once. Default 1. */
  readonly speed?: number;
  /**
   * Makes of a request what has to be the same, for example without a date in the system prompt. It gets the recorded
   * requests and the new ones.
   */
  readonly normalize?: (request: JsonObject) => JsonObject;
}

/**
 * A provider with the name of the recorded one that answers what was recorded by `recordModel`, without a network: each
 * request gets the answer of the same request, those that are the same in the order of the recording. A request that was
 * not recorded, or is another one now, fails with a `MODEL_ERROR` that says what differs. A call that was stopped when it
 * was recorded waits for being stopped again. Throws an `Error` when the file is no recording.
 */
export function replayModel(file: string, options: ReplayOptions = {}): ModelProvider {
  const { speed = 1, normalize = (request) => request } = options;
  if (!(speed >= 0)) throw new TypeError(`A speed is 0 or more, not ${speed}`);
  const { provider, calls } = readRecording(file);
  const left = new CallsLeft(file, calls, normalize);
  const model = (name: string): Model => {
    const id = calls.find((call) => call.name === name)?.model ?? `${provider}:${name}`;
    return {
      id,
      async stream(request, sink, signal) {
        signal.throwIfAborted();
        return play(left.take(id, request), speed, sink, signal);
      },
    };
  };
  return { name: provider, model };
}

/** The calls that nobody has had yet. */
class CallsLeft {
  readonly #file: string;
  readonly #total: number;
  readonly #normalize: (request: JsonObject) => JsonObject;
  readonly #calls: { readonly call: RecordedCall; readonly request: JsonObject; readonly digest: string }[];

  constructor(file: string, calls: readonly RecordedCall[], normalize: (request: JsonObject) => JsonObject) {
    this.#file = file;
    this.#total = calls.length;
    this.#normalize = normalize;
    this.#calls = calls.map((call) => {
      const request = normalize(structuredClone(call.request));
      return { call, request, digest: digestOf(call.model, request) };
    });
  }

  take(model: string, asked: ModelRequest): RecordedCall {
    const request = this.#normalize(comparable(asked));
    const digest = digestOf(model, request);
    const at = this.#calls.findIndex((one) => one.digest === digest);
    if (at !== -1) {
      const [found] = this.#calls.splice(at, 1);
      if (found) return found.call;
    }
    throw modelError(`${this.#complain(model, request)}; record it again if that is meant`, {
      remedy: 'nothing',
    });
  }

  #complain(model: string, request: JsonObject): string {
    const [next] = this.#calls;
    if (!next) return `${this.#file} has ${this.#total} calls, and this is one more`;
    const difference = firstDifference({ model: next.call.model, ...next.request }, { model, ...request });
    return `${this.#file} has another request as call ${next.call.call}: ${difference ?? 'there is no difference'}`;
  }
}

async function play(
  { pieces, end }: RecordedCall,
  speed: number,
  sink: ModelSink,
  signal: AbortSignal,
): Promise<ModelFinish> {
  const began = performance.now();
  const untilTime = async (ms: number) => {
    const wait = speed === 0 ? 0 : began + ms / speed - performance.now();
    // Rejects when it is aborted, with an error of its own instead of the reason.
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  };
  for (const piece of pieces) {
    await untilTime(piece[0]);
    if (!put(piece, sink)) await untilAborted(sink.drain(), signal);
  }
  await untilTime(end.ms);
  if ('aborted' in end) return untilAborted(new Promise<never>(() => {}), signal);
  if ('error' in end) throw toError(end.error);
  return end.finish;
}

function put(piece: RecordedPiece, sink: ModelSink): boolean {
  switch (piece[1]) {
    case 'text':
      return sink.text(piece[2]);
    case 'reasoning':
      return sink.reasoning(piece[2]);
    case 'tool_call':
      return sink.toolCall(piece[2]);
    case 'metadata':
      sink.metadata(piece[2], piece[3]);
      return true;
    case 'notice':
      sink.notice(piece[2]);
      return true;
  }
}
