import { ApiError } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { APIConfig } from '../../src/config.ts';
import { createModels } from '../../src/models/registry.ts';
import { demoTranscription } from '../../src/models/transcription-demo.ts';
import { defaultTranscriptionModel } from '../../src/models/transcription-provider.ts';

function hear(duration?: number | null, signal = new AbortController().signal) {
  const read = () => {
    throw new Error('it does not listen');
  };
  const audio = { mimeType: 'audio/wav', name: 'a', size: 24_044, read };
  return demoTranscription('').transcribe(
    { audio: duration === undefined ? audio : { ...audio, duration } },
    signal,
  );
}

test('the demo says what it is, and what can be told of a recording: type, size and length', async () => {
  const heard = await hear(1.5);

  expect(heard.text).toMatch(/demo transcription.*do not listen.*audio\/wav.*24044 bytes.*1\.5 seconds/);
  expect(heard).toMatchObject({ language: 'en', duration: 1.5, usage: null });
  expect(heard.segments.map(({ start, end, speaker }) => [start, end, speaker])).toEqual([
    [0, 0.5, 'A'],
    [0.5, 1, 'B'],
    [1, 1.5, 'C'],
  ]);
});

test('the demo says the same of the same recording', async () => {
  expect(await hear(0.5)).toEqual(await hear(0.5));
});

test.each([null, undefined])('the demo does not pretend to know a length of %s', async (duration) => {
  const heard = await hear(duration);
  expect(heard.duration).toBeNull();
  expect(heard.text).toContain('I cannot tell how long it is');
  expect(heard.segments).toHaveLength(3);
});

test('the demo stops when it is told to', async () => {
  const reason = new Error('cancelled');
  await expect(hear(0.1, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('there is one demo model', () => {
  expect(demoTranscription('demo').id).toBe('demo:demo');
  expect(() => demoTranscription('whisper')).toThrow(ApiError);
});

test.each([
  [{}, 'demo'],
  [{ OPENAI_API_KEY: 'sk-test' }, 'openai:whisper-1'],
  [{ OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: 'http://localhost:1/v1' }, 'demo'],
  [{ OPENAI_API_KEY: 'sk-test', LLMGINE_API_TRANSCRIPTION_MODEL: 'demo:demo' }, 'demo:demo'],
])('without a name, the model for speech with %j is %s', (env, expected) => {
  const config = new APIConfig({}, { env: env as Record<string, string> });
  expect(defaultTranscriptionModel(config)).toBe(expected);
});

test('a provider that only talks is refused for speech', async () => {
  const models = createModels({
    config: new APIConfig({}, { env: {} }),
    providers: [{ name: 'chat', model: () => ({ id: 'chat:x', stream: () => new Promise(() => {}) }) }],
  });
  expect(() => models.resolveTranscription('chat:x')).toThrow(/no models that turn speech into text/);
  expect(() => models.resolveTranscription('nobody:x')).toThrow(/There is no model provider/);
  expect(models.resolveTranscription('demo,demo:demo').id).toBe('demo:demo');
  await models.close();
});
