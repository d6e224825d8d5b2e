import { type Prices, pricedModel } from './pricing.ts';
import { type ResilientOptions, resilientModel } from './resilient.ts';
import type { Transcription, TranscriptionModel } from './transcription.ts';
import type { Model, ModelSink } from './types.ts';

/** Nothing is said before a recording is transcribed, so any failure comes before the first piece. */
const SILENT: ModelSink = {
  text: () => true,
  reasoning: () => true,
  toolCall: () => true,
  metadata: () => {},
  notice: () => {},
  drain: async () => {},
};

export interface ResilientTranscriptionOptions extends ResilientOptions {
  /** What the usage of an answer has cost; default: nobody knows. */
  readonly prices?: Prices | undefined;
}

/**
 * The models as one, named like the first: a recording that one fails to transcribe is given to it again after a while, or
 * to the next, by the rules of `resilientModel`.
 */
export function resilientTranscription(
  models: readonly TranscriptionModel[],
  { prices, ...options }: ResilientTranscriptionOptions,
): TranscriptionModel {
  const [first] = models;
  if (!first) throw new TypeError('There is no model to call');
  return {
    id: first.id,
    transcribe: async (request, signal) => {
      let answer: Transcription | undefined;
      const calls = models.map(
        (model): Model => ({
          id: model.id,
          stream: async () => {
            answer = await model.transcribe(request, signal);
            return { finishReason: 'stop', usage: answer.usage };
          },
        }),
      );
      const call = resilientModel(calls, options);
      const { usage } = await (prices ? pricedModel(call, prices) : call).stream(
        { messages: [] },
        SILENT,
        signal,
      );
      if (!answer) throw new TypeError('unreachable: one of them answered');
      return { ...answer, usage };
    },
  };
}
