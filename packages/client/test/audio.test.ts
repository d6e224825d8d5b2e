/** Recordings over the socket. */
import { expect, test } from 'vitest';
import { startProxy } from '../../../tests/faults/tcp-proxy.ts';
import { startApp } from '../../../tests/helpers/app.ts';
import { parts, wav } from '../../../tests/helpers/audio.ts';
import { sendAudio } from '../src/audio.ts';
import { stateOf, testClient } from './helpers.ts';

const bytes = (seconds: number) => new Uint8Array(wav(seconds));

async function start() {
  const { url, createSession } = await startApp();
  const client = testClient(url);
  const id = await createSession({ engine_type: 'ToolChatEngine' });
  return { url, client, id, session: client.session(id) };
}

test('a recording arrives whole, as bytes, as a Blob, and in pieces', async () => {
  const { client, session, id } = await start();
  const recording = bytes(30);
  const pieces = parts(Buffer.from(recording), 7_000).map((piece) => new Uint8Array(piece));
  for (const source of [recording, recording.buffer, new Blob([recording]), pieces]) {
    const { file, run } = await session.audio(source, { mimeType: 'audio/wav' });
    expect(file).toMatchObject({ mime_type: 'audio/wav', size: recording.length, duration: 30 });
    expect(run).toBeNull();
    const content = await client.files.content(id, file.file_id);
    expect(Buffer.from(await content.arrayBuffer()).equals(recording)).toBe(true);
  }
});

test('recordings that are sent at once are sent one after the other', async () => {
  const { session } = await start();
  const sent = [1, 2, 3].map((seconds) => session.audio(bytes(seconds), { mimeType: 'audio/wav' }));
  expect((await Promise.all(sent)).map(({ file }) => file.duration)).toEqual([1, 2, 3]);
});

test('what is no recording is refused with the reason, and the next one is taken', async () => {
  const { session } = await start();
  await expect(session.audio(bytes(1), { mimeType: 'video/mp4' })).rejects.toMatchObject({
    code: 'VALIDATION_ERROR',
  });
  expect((await session.audio(bytes(1), { mimeType: 'audio/wav' })).file.duration).toBe(1);
});

test("a recording that is given up, or whose source fails, is in nobody's way", async () => {
  const { session } = await start();
  const controller = new AbortController();
  const reason = new Error('enough');
  async function* given(fail: () => void) {
    yield bytes(1).slice(0, 5_000);
    fail();
    yield bytes(1).slice(5_000);
  }
  const { signal } = controller;
  const aborted = session.audio(
    given(() => controller.abort(reason)),
    { mimeType: 'audio/wav', signal },
  );
  await expect(aborted).rejects.toBe(reason);
  const failing = given(() => {
    throw reason;
  });
  await expect(session.audio(failing, { mimeType: 'audio/wav' })).rejects.toBe(reason);
  expect((await session.audio(bytes(1), { mimeType: 'audio/wav' })).file.duration).toBe(1);
});

test('a recording with a command runs it: with the answer of the engine when there is none of that name', async () => {
  const { session } = await start();
  await expect(
    session.audio(bytes(1), { mimeType: 'audio/wav', command: 'no_such_command' }),
  ).rejects.toMatchObject({ code: 'UNKNOWN_COMMAND' });
});

test('a recording whose connection is lost says so, and the next one is whole', async () => {
  const { url, id } = await start();
  const { hostname, port } = new URL(url);
  const network = await startProxy({ host: hostname, port: Number(port) });
  const session = testClient(network.url()).session(id);
  await session.connect();
  network.cutAfter(100_000, 'toServer');
  await expect(session.audio(bytes(60), { mimeType: 'audio/wav' })).rejects.toMatchObject({
    code: 'CONNECTION_LOST',
  });
  await stateOf(session, 'open');
  expect((await session.audio(bytes(1), { mimeType: 'audio/wav' })).file.duration).toBe(1);
});

test('no more is given to the socket than it gets rid of', async () => {
  let waiting = 0;
  let most = 0;
  const output = {
    // It sends a little each time somebody looks.
    get bufferedAmount() {
      waiting = Math.max(0, waiting - 100_000);
      return waiting;
    },
    send(piece: Uint8Array) {
      waiting += piece.length;
      most = Math.max(most, waiting);
      return true;
    },
  };
  expect(await sendAudio(new Uint8Array(2_000_000), output, undefined)).toBe(true);
  expect(most).toBeLessThan(300_000);
});
