import { ApiError } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { startTranscriptionServer, wav } from '../../../../tests/helpers/transcription-server.ts';
import { ModelError } from '../../src/models/model-error.ts';
import type { Transcription, TranscriptionModel } from '../../src/models/transcription.ts';
import { openAITranscription } from '../../src/models/transcription-openai.ts';
import { resilientTranscription } from '../../src/models/transcription-resilient.ts';

const RECORDING = wav(0.05);
const REQUEST = {
  audio: {
    mimeType: 'audio/wav',
    name: 'a.wav',
    size: RECORDING.length,
    read: async function* () {
      yield RECORDING;
    },
  },
};
const HEARD: Transcription = { text: 'Hi', language: null, duration: null, segments: [], usage: null };

class Acting implements TranscriptionModel {
  calls = 0;
  readonly id: string;
  readonly #acts: readonly (Transcription | Error)[];

  constructor(id: string, ...acts: (Transcription | Error)[]) {
    this.id = id;
    this.#acts = acts;
  }

  async transcribe(): Promise<Transcription> {
    const act = this.#acts[Math.min(this.calls++, this.#acts.length - 1)] as Transcription | Error;
    if (act instanceof Error) throw act;
    return act;
  }
}

const failure = (remedy: ModelError['remedy']) => new ModelError(`failed: ${remedy}`, { remedy });
const never = () => new AbortController().signal;

test('a failure that passes is tried again, with the whole recording', async () => {
  const server = await startTranscriptionServer();
  server.script({ status: 503 }, { drop: true });
  const wire = openAITranscription({ baseURL: server.baseUrl });
  const model = resilientTranscription([wire.transcriptionModel('x')], { retries: 2, firstWaitMs: 1 });

  await expect(model.transcribe(REQUEST, never())).resolves.toMatchObject({ duration: 12.5 });
  expect(server.requests.map(({ file }) => file.bytes.equals(RECORDING))).toEqual([true, true, true]);
  await wire.close();
});

test('what one cannot transcribe is given to the next; the name stays that of the first', async () => {
  const [first, second] = [new Acting('a:one', failure('elsewhere')), new Acting('b:two', HEARD)];
  const model = resilientTranscription([first, second], { retries: 2, firstWaitMs: 1 });

  await expect(model.transcribe(REQUEST, never())).resolves.toEqual(HEARD);
  expect([model.id, first.calls, second.calls]).toEqual(['a:one', 1, 1]);
});

test.each<[string, Error]>([
  ['no model can mend', failure('nothing')],
  ['is no failure of a model', new ApiError('BUDGET_EXCEEDED')],
  ['nobody expected', new Error('a bug')],
])('what %s is final', async (_what, error) => {
  const second = new Acting('b:two', HEARD);
  const model = resilientTranscription([new Acting('a:one', error), second], { retries: 2, firstWaitMs: 1 });

  await expect(model.transcribe(REQUEST, never())).rejects.toBe(error);
  expect(second.calls).toBe(0);
});

test('it is tried as often as it may be', async () => {
  const model = new Acting('a:one', failure('again'));
  const resilient = resilientTranscription([model], { retries: 3, firstWaitMs: 1 });
  await expect(resilient.transcribe(REQUEST, never())).rejects.toThrow('failed: again');
  expect(model.calls).toBe(4);
});

test('an answer says what it cost, by the price of the model that gave it', async () => {
  const usage = { input_tokens: 100, output_tokens: 10, total_tokens: 110 };
  const models = [new Acting('a:one', failure('elsewhere')), new Acting('b:two', { ...HEARD, usage })];
  const prices = {
    of: (model: string) => (model === 'b:two' ? { input: 0.5, cachedInput: 0.5, output: 2 } : null),
  };
  const priced = resilientTranscription(models, { retries: 0, prices });
  await expect(priced.transcribe(REQUEST, never())).resolves.toMatchObject({ usage: { ...usage, cost: 70 } });
});
