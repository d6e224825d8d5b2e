import { ApiError } from '@llmgine/protocol';
import { expect, test } from 'vitest';
import { wav } from '../../../../tests/helpers/transcription-server.ts';
import { APIConfig } from '../../src/config.ts';
import { createModels } from '../../src/models/registry.ts';
import { demoTranscription } from '../../src/models/transcription-demo.ts';
import { defaultTranscriptionModel } from '../../src/models/transcription-provider.ts';

function hear(bytes: Buffer, mimeType = 'audio/wav', signal = new AbortController().signal) {
  const read = async function* () {
    for (let at = 0; at < bytes.length; at += 4096) yield bytes.subarray(at, at + 4096);
  };
  const audio = { mimeType, name: 'a', size: bytes.length, read };
  return demoTranscription('').transcribe({ audio }, signal);
}

test('the demo says what it is, and what it can tell of a recording: type, size and length', async () => {
  const heard = await hear(wav(1.5));

  expect(heard.text).toMatch(/demo transcription.*do not listen.*audio\/wav.*24044 bytes.*1\.5 seconds/);
  expect(heard).toMatchObject({ language: 'en', duration: 1.5, usage: null });
  expect(heard.segments.map(({ start, end, speaker }) => [start, end, speaker])).toEqual([
    [0, 0.5, 'A'],
    [0.5, 1, 'B'],
    [1, 1.5, 'C'],
  ]);
});

test('the demo says the same of the same recording', async () => {
  expect(await hear(wav(0.5))).toEqual(await hear(wav(0.5)));
});

test.each([
  ['noise', Buffer.alloc(10_000, 'noise')],
  ['half a header', wav(1).subarray(0, 20)],
  ['nothing', Buffer.alloc(0)],
])('the demo does not pretend to know the length of %s', async (_what, bytes) => {
  const heard = await hear(bytes);
  expect(heard.duration).toBeNull();
  expect(heard.text).toContain('I cannot tell how long it is');
  expect(heard.segments).toHaveLength(3);
});

test('the demo stops when it is told to', async () => {
  const reason = new Error('cancelled');
  await expect(hear(wav(0.1), 'audio/wav', AbortSignal.abort(reason))).rejects.toBe(reason);
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
