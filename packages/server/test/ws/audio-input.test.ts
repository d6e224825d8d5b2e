import { ApiError } from '@llmgine/protocol';
import { afterEach, expect, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { wav } from '../../../../tests/helpers/audio.ts';
import { LOCAL_OPERATOR } from '../../src/security/principal.ts';
import { keyOf } from '../../src/sessions/service.ts';
import { AudioInput } from '../../src/ws/audio-input.ts';

afterEach(() => void vi.restoreAllMocks());

test('a beginning that was given up, and fails later, says nothing of the recording after it', async () => {
  const { app, createSession } = await startApp();
  const { files, storage } = app.services;
  const target = {
    key: keyOf(LOCAL_OPERATOR, await createSession()),
    audioFailed: vi.fn(),
    pauseAudio: () => {},
    resumeAudio: () => {},
  };
  const input = new AudioInput(files, target);
  const slow = Promise.withResolvers<never>();
  vi.spyOn(storage.files, 'begin').mockReturnValueOnce(slow.promise);
  const tooLate = new AbortController();
  const { signal } = new AbortController();

  const first = input.begin('audio/wav', 1, tooLate.signal);
  tooLate.abort();
  await input.begin('audio/wav', 2, signal);
  slow.reject(new ApiError('UNAVAILABLE'));
  await expect(first).rejects.toThrow();
  input.write(wav(1));

  expect(await input.end(signal)).toMatchObject({ size: wav(1).length });
  expect(target.audioFailed).not.toHaveBeenCalled();
  expect(await storage.files.nextPurge()).toBeNull();
});
