import { expect, test } from 'vitest';
import { audioName } from '../../../src/engines/voice/audio-name.ts';

test.each([
  [null, 'audio/wav', 'recording.wav'],
  [null, 'audio/mpeg', 'recording.mp3'],
  [null, 'audio/webm;codecs=opus', 'recording.webm'],
  [null, 'audio/ogg', 'recording.ogg'],
  [null, 'audio/mp4', 'recording.m4a'],
  [null, 'audio/flac', 'recording.flac'],
  [null, 'application/x-unknown', 'recording'],
  ['talk.WAV', 'audio/x-wav', 'talk.WAV'],
  ['talk.opus', 'audio/ogg', 'talk.opus'],
  ['talk.mp3', 'audio/wav', 'talk.mp3.wav'],
  ['../../etc/passwd', 'audio/wav', 'passwd.wav'],
  ['C:\\talks\\one.wav', 'audio/wav', 'one.wav'],
  ['', 'audio/wav', 'recording.wav'],
])('a recording %j of type %s is called %s', (name, mimeType, expected) => {
  expect(audioName({ name, mimeType })).toBe(expected);
});
