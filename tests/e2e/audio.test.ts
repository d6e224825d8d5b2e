/** Recordings that a client sends over its WebSocket. */
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { EngineContext } from '@llmgine/api';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FileUpload } from '../../packages/server/src/sessions/file-upload.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { parts, recording, wav } from '../helpers/audio.ts';
import { startServer } from '../helpers/child-server.ts';
import { call } from '../helpers/rest.ts';
import { STORAGES } from '../helpers/storages.ts';
import { testEngine, testGate } from '../helpers/test-engine.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function open(app: TestApp, options: object = {}): Promise<{ socket: TestSocket; id: string }> {
  const id = await app.createSession(options);
  return { socket: await TestSocket.open(app.wsUrl(id)), id };
}

/** Sends a recording, and resolves with the answer to its end. */
function send(socket: TestSocket, mimeType: string, file: Buffer, size = 4096, end: object = {}) {
  socket.send({ type: 'audio_begin', message_id: `begin ${mimeType}`, data: { mime_type: mimeType } });
  for (const part of parts(file, size)) socket.ws.send(part);
  return socket.request('audio_end', end);
}

async function download(app: { url: string }, id: string, fileId: string): Promise<Buffer> {
  const response = await fetch(`${app.url}/api/sessions/${id}/files/${fileId}/content`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

/** What is left of files that were not completed. */
const leftOver = ({ app }: TestApp) => app.services.storage.files.nextPurge();

afterEach(() => void vi.restoreAllMocks());

describe('a recording', () => {
  test('in many frames is kept as it was sent, and is accepted once it is', async () => {
    const app = await startApp();
    const { socket, id } = await open(app);
    const file = wav(20);

    const { type, data } = await send(socket, 'audio/wav', file, 1000);

    expect(type).toBe('audio_accepted');
    expect(data).toEqual({
      file_id: expect.any(String),
      mime_type: 'audio/wav',
      size: file.length,
      duration: 20,
    });
    expect(socket.frames.map((frame) => frame.type)).toEqual(['audio_accepted']);
    expect(digest(await download(app, id, data.file_id))).toBe(digest(file));
  });

  test.each([
    ['tone.mp3', 'audio/mpeg', 'audio/mpeg'],
    ['tone.webm', 'audio/webm;codecs=opus', 'audio/webm'],
    ['tone-live.webm', 'audio/webm; codecs="opus"', 'audio/webm'],
    ['tone-opus.ogg', 'audio/ogg', 'audio/ogg'],
    ['tone-vorbis.ogg', 'application/ogg', 'audio/ogg'],
    ['tone.m4a', 'audio/x-m4a', 'audio/mp4'],
    ['tone.flac', 'AUDIO/FLAC', 'audio/flac'],
  ])('%s is taken, and known to have one and a half seconds', async (name, declared, mimeType) => {
    const app = await startApp();
    const { socket } = await open(app);
    const { data } = await send(socket, declared, recording(name), 777);
    expect(data).toMatchObject({ mime_type: mimeType, size: recording(name).length });
    expect(Math.abs(data.duration - 1.5)).toBeLessThan(0.1);
  });

  test('whose header says that it has no end is as long as its bytes are', async () => {
    const app = await startApp({ config: { maxAudioDuration: 10 } });
    const { socket } = await open(app);
    const { data } = await send(socket, 'audio/wav', wav(3, { declared: 0xffffffff }));
    expect(data.duration).toBeCloseTo(3, 1);
  });

  test.each<[string, string, Buffer]>([
    ['of another kind than was declared', 'audio/mpeg', wav(1)],
    ['that is a film without sound', 'audio/webm', recording('silent-video.webm')],
    ['of a kind that is not taken', 'audio/mp4', recording('tone.aac')],
    ['that is text', 'audio/wav', Buffer.from('RIFF or so')],
    ['without a byte', 'audio/wav', Buffer.alloc(0)],
    ['that is too long', 'audio/wav', wav(12)],
  ])('%s is refused, and leaves nothing', async (_, mimeType, file) => {
    const app = await startApp({ config: { maxAudioDuration: 10 } });
    const { socket } = await open(app);
    const { type, data } = await send(socket, mimeType, file);
    expect([type, data.code]).toEqual(['error', 'VALIDATION_ERROR']);
    await expect.poll(() => leftOver(app)).toBeNull();
    // The socket is as good as before.
    expect((await send(socket, 'audio/wav', wav(1))).type).toBe('audio_accepted');
  });

  test('of a type that nobody takes is refused at its beginning, once, whatever follows', async () => {
    const app = await startApp();
    const { socket } = await open(app);
    const end = await send(socket, 'audio/basic', wav(1), 100);
    expect(end.data).toMatchObject({ code: 'VALIDATION_ERROR', errors: [{ path: 'mime_type' }] });
    expect(socket.frames.map(({ type, message_id }) => [type, message_id])).toEqual([
      ['error', 'begin audio/basic'],
      ['error', end.message_id],
    ]);
  });

  test('that turns out to be none is refused while it comes', async () => {
    const app = await startApp();
    const { socket } = await open(app);
    socket.send({ type: 'audio_begin', message_id: 'mine', data: { mime_type: 'audio/wav' } });
    const told = socket.find(({ message_id }) => message_id === 'mine');
    let isTold = false;
    void told.then(() => {
      isTold = true;
    });
    while (!isTold) {
      for (let n = 0; n < 20; n++) socket.ws.send(Buffer.alloc(10_000, 'no sound'));
      await socket.request('ping');
    }
    expect(await told).toMatchObject({ type: 'error', data: { code: 'VALIDATION_ERROR' } });
    await expect.poll(() => leftOver(app)).toBeNull();
  });

  test('that is too large is refused while it comes; its rest is dropped, and the next one is taken', async () => {
    const app = await startApp({ config: { maxAudioSize: 100_000 } });
    const { socket } = await open(app);
    socket.send({ type: 'audio_begin', message_id: 'mine', data: { mime_type: 'audio/wav' } });
    for (const part of parts(wav(7), 9000)) socket.ws.send(part);

    const told = await socket.find(({ message_id }) => message_id === 'mine');
    for (let n = 0; n < 100; n++) socket.ws.send(Buffer.alloc(1000));
    const end = await socket.request('audio_end');

    expect(told).toMatchObject({ type: 'error', data: { code: 'MESSAGE_TOO_LARGE' } });
    expect(end).toMatchObject({ type: 'error', data: { code: 'MESSAGE_TOO_LARGE' } });
    expect(socket.frames).toHaveLength(2);
    await expect.poll(() => leftOver(app)).toBeNull();
    expect((await send(socket, 'audio/wav', wav(6))).type).toBe('audio_accepted');
  });

  test('is one at a time: what does not belong to one is an error, and changes nothing', async () => {
    const app = await startApp();
    const { socket, id } = await open(app);
    const file = wav(2);
    const half = file.length / 2;

    socket.ws.send(file);
    expect((await socket.findType('error')).data.code).toBe('INVALID_MESSAGE_TYPE');
    expect((await socket.request('audio_end')).data.code).toBe('VALIDATION_ERROR');
    socket.send({ type: 'audio_begin', data: { mime_type: 'audio/wav' } });
    socket.ws.send(file.subarray(0, half));
    expect((await socket.request('audio_begin', { mime_type: 'audio/mpeg' })).data.code).toBe(
      'VALIDATION_ERROR',
    );
    socket.ws.send(file.subarray(half));
    const { data } = await socket.request('audio_end');

    expect(digest(await download(app, id, data.file_id))).toBe(digest(file));
    expect((await socket.request('audio_end')).data.code).toBe('VALIDATION_ERROR');
  });

  test('in frames of one byte becomes a few pieces', async () => {
    const app = await startApp();
    const { socket, id } = await open(app);
    const write = vi.spyOn(app.app.services.storage.files, 'write');
    const file = wav(1);
    const { data } = await send(socket, 'audio/wav', file, 1);
    expect(write).toHaveBeenCalledTimes(1);
    expect(digest(await download(app, id, data.file_id))).toBe(digest(file));
  });
});

describe('with a command', () => {
  const readAll = async (context: EngineContext) => {
    const file = await context.file(String(context.parameters.file_id));
    const hash = createHash('sha256');
    for await (const chunk of file.read()) hash.update(chunk);
    const { read: _, ...rest } = file;
    return { ...rest, digest: hash.digest('hex'), parameters: context.parameters } as object;
  };

  test('an engine gets the recording, and the client its result', async () => {
    const app = await startApp({ apiFactory: testEngine(readAll) });
    const { socket } = await open(app, { engine_type: 'TestEngine' });
    const file = wav(30);
    const end = { command: 'act', parameters: { language: 'en', file_id: 'of somebody else' } };

    const accepted = await send(socket, 'audio/wav', file, 30_000, end);
    const result = await socket.findType('command_result');

    const { file_id } = accepted.data;
    expect(accepted.type).toBe('audio_accepted');
    expect(result.message_id).toBe(accepted.message_id);
    expect(result.data).toMatchObject({
      status: 'completed',
      result: {
        fileId: file_id,
        mimeType: 'audio/wav',
        size: file.length,
        duration: 30,
        digest: digest(file),
        parameters: { language: 'en', file_id },
      },
    });
    const answers = socket.frames.filter(({ type }) => type !== 'event').map(({ type }) => type);
    expect(answers).toEqual(['audio_accepted', 'command_accepted', 'command_result']);
  });

  test('that is refused, the recording is kept all the same', async () => {
    const app = await startApp({ apiFactory: testEngine(readAll) });
    const { socket, id } = await open(app, { engine_type: 'TestEngine' });
    const accepted = await send(socket, 'audio/wav', wav(1), 4096, { command: 'sing' });
    const refused = await socket.findType('error');
    expect(refused).toMatchObject({
      message_id: accepted.message_id,
      data: { code: 'UNKNOWN_COMMAND' },
    });
    expect(await download(app, id, accepted.data.file_id)).toHaveLength(wav(1).length);
  });

  test('a file that is not of the session is not there for an engine', async () => {
    const app = await startApp({ apiFactory: testEngine(readAll) });
    const other = await open(app);
    const { data } = await send(other.socket, 'audio/wav', wav(1));
    const { socket, id } = await open(app, { engine_type: 'TestEngine' });
    expect(await socket.run('act', { file_id: data.file_id })).toMatchObject({
      status: 'failed',
      error: { code: 'VALIDATION_ERROR' },
    });
    const asked = await call('GET', `${app.url}/api/sessions/${id}/files/${data.file_id}`);
    expect([asked.status, asked.body.code]).toEqual([404, 'NOT_FOUND']);
  });
});

describe('order', () => {
  test('bytes wait for the handlers before them, and ping goes through meanwhile', async () => {
    const gate = testGate();
    const app = await startApp();
    const { socket, id } = await open(app);
    const { files } = app.app.services.storage;
    const begin = files.begin.bind(files);
    vi.spyOn(files, 'begin').mockImplementation(async (...args) => {
      await gate.pass();
      return begin(...args);
    });
    const file = wav(5);

    const ended = send(socket, 'audio/wav', file);
    await gate.reached;
    const pong = await socket.request('ping');
    gate.open();
    const { data } = await ended;

    expect(pong.type).toBe('pong');
    expect(socket.frames.map(({ type }) => type)).toEqual(['pong', 'audio_accepted']);
    expect(digest(await download(app, id, data.file_id))).toBe(digest(file));
  });

  test('two connections of a session send a recording each at the same time', async () => {
    const app = await startApp();
    const { socket, id } = await open(app);
    const second = await TestSocket.open(app.wsUrl(id));
    const files = [wav(9), wav(11, { sampleRate: 16_000 })] as const;

    const answers = await Promise.all([
      send(socket, 'audio/wav', files[0], 999),
      send(second, 'audio/wav', files[1], 1001),
    ]);

    for (const [index, { data }] of answers.entries()) {
      expect(digest(await download(app, id, data.file_id))).toBe(digest(files[index] as Buffer));
    }
  });
});

describe('what a client may cost', () => {
  test('a slow database stops the reading of its socket: little waits in memory', async () => {
    const app = await startApp({ config: { maxAudioSize: 67_108_864 } });
    const { socket, id } = await open(app);
    const gate = testGate();
    const { files } = app.app.services.storage;
    const write = files.write.bind(files);
    vi.spyOn(files, 'write').mockImplementation(async (...args) => {
      await gate.pass();
      return write(...args);
    });
    const taken = vi.spyOn(FileUpload.prototype, 'write');
    const bytesTaken = () => taken.mock.calls.reduce((sum, [bytes]) => sum + bytes.length, 0);
    const file = wav(1000, { sampleRate: 16_000 });

    const ended = send(socket, 'audio/wav', file, 32_768);
    await gate.reached;
    await expect.poll(bytesTaken).toBeGreaterThan(262_144);
    // As long as this takes, everything that can be read is read.
    for (let n = 0; n < 50; n++) await call('GET', `${app.url}/api/sessions/${id}`);
    const waiting = bytesTaken();
    gate.open();
    const { data } = await ended;

    expect(waiting).toBeLessThan(1_048_576);
    expect(data.size).toBe(file.length);
    expect(digest(await download(app, id, data.file_id))).toBe(digest(file));
  });

  test('audio is counted in bytes, not in messages', async () => {
    const key = 'a-key-of-many-characters';
    const headers = { 'X-API-Key': key };
    const app = await startApp({ config: { key, websocketMessageRate: 5, websocketMessageBurst: 5 } });
    const made = await call('POST', `${app.url}/api/sessions`, undefined, headers);
    const socket = await TestSocket.open(app.wsUrl(made.body.session_id), { headers });

    // Some more than the burst of 5 times 64 kB: it is read later, and nothing is lost or refused.
    const { type, data } = await send(socket, 'audio/wav', wav(22), 400);

    expect(type).toBe('audio_accepted');
    expect(data.size).toBe(wav(22).length);
    expect(socket.frames).toHaveLength(1);
  });

  test('bytes that belong to nothing are messages like others', async () => {
    const key = 'a-key-of-many-characters';
    const headers = { 'X-API-Key': key };
    const app = await startApp({ config: { key, websocketMessageRate: 1, websocketMessageBurst: 5 } });
    const made = await call('POST', `${app.url}/api/sessions`, undefined, headers);
    const socket = await TestSocket.open(app.wsUrl(made.body.session_id), { headers });
    for (let n = 0; n < 100; n++) socket.ws.send(Buffer.alloc(1));
    expect((await socket.closed).code).toBe(4008);
  });

  test('a session that is deleted takes its open recording along', async () => {
    const app = await startApp();
    const { socket, id } = await open(app);
    socket.send({ type: 'audio_begin', data: { mime_type: 'audio/wav' } });
    for (const part of parts(wav(10), 10_000)) socket.ws.send(part);
    await socket.request('ping');
    await call('DELETE', `${app.url}/api/sessions/${id}`);
    expect((await socket.closed).code).toBe(4004);
    await expect.poll(() => leftOver(app)).toBeNull();
  });
});

describe('what a client that is gone leaves', () => {
  test('is nothing, whenever it goes', async () => {
    const app = await startApp();
    for (const size of [0, 1, 70_000, 300_000]) {
      const { socket } = await open(app);
      socket.send({ type: 'audio_begin', data: { mime_type: 'audio/wav' } });
      for (const part of parts(wav(20).subarray(0, size), 5000)) socket.ws.send(part);
      await socket.request('ping');
      socket.ws.terminate();
      await socket.closed;
    }
    await expect.poll(() => leftOver(app)).toBeNull();
  });

  test('is nothing, when the recording was just being begun', async () => {
    const gate = testGate();
    const app = await startApp();
    const { socket } = await open(app);
    const { files } = app.app.services.storage;
    const begin = files.begin.bind(files);
    vi.spyOn(files, 'begin').mockImplementation(async (...args) => {
      const begun = await begin(...args);
      await gate.pass();
      return begun;
    });
    socket.send({ type: 'audio_begin', data: { mime_type: 'audio/wav' } });
    await gate.reached;
    expect(await leftOver(app)).not.toBeNull();
    socket.ws.terminate();
    await socket.closed;
    await expect.poll(() => app.app.messaging.connections()).toHaveLength(0);
    gate.open();
    await expect.poll(() => leftOver(app)).toBeNull();
  });

  test('is nothing, when the recording was just being completed', async () => {
    const gate = testGate();
    const app = await startApp();
    const { socket, id } = await open(app);
    const { files } = app.app.services.storage;
    const complete = files.complete.bind(files);
    const completed: string[] = [];
    vi.spyOn(files, 'complete').mockImplementation(async (...args) => {
      const outcome = await complete(...args);
      completed.push(args[1]);
      await gate.pass();
      return outcome;
    });
    send(socket, 'audio/wav', wav(1)).catch(() => {});
    await gate.reached;
    socket.ws.terminate();
    await expect.poll(() => app.app.messaging.connections()).toHaveLength(0);
    gate.open();
    const url = `${app.url}/api/sessions/${id}/files/${completed[0]}`;
    await expect.poll(async () => (await call('GET', url)).status).toBe(404);
    await expect.poll(() => leftOver(app)).toBeNull();
  });
});

describe.each(STORAGES)('on %s', (_, makeData) => {
  test('a server that stops in the middle leaves nothing of what was on its way, and complains of nothing', async () => {
    const { databaseUrl } = await makeData();
    const app = await startApp({ config: { databaseUrl } });
    const error = vi.spyOn(app.app.services.logger, 'error');
    const { socket, id } = await open(app);
    socket.send({ type: 'audio_begin', data: { mime_type: 'audio/wav' } });
    for (const part of parts(wav(20), 10_000)) socket.ws.send(part);
    await socket.request('ping');
    const client = httpRequest(`${app.url}/api/sessions/${id}/audio`, {
      method: 'POST',
      headers: { 'content-type': 'audio/wav' },
    });
    client.on('error', () => {});
    const begun = vi.spyOn(FileUpload.prototype, 'write');
    client.write(wav(20));
    await expect.poll(() => begun.mock.calls.length).toBeGreaterThan(0);

    await app.app.close();

    const again = await startApp({ config: { databaseUrl } });
    await expect.poll(() => leftOver(again)).toBeNull();
    expect(error.mock.calls).toEqual([]);
  });

  test('a server that is killed in the middle keeps what it accepted, and nothing of the rest is found', async () => {
    const { databaseUrl } = await makeData();
    const env = { LLMGINE_API_DATABASE_URL: String(databaseUrl) };
    const first = await startServer(env);
    const made = await call('POST', `${first.url}/api/sessions`);
    const id = String(made.body.session_id);
    const socket = await TestSocket.open(first.wsUrl(id));
    const file = wav(30);
    const { data } = await send(socket, 'audio/wav', file);
    socket.send({ type: 'audio_begin', data: { mime_type: 'audio/wav' } });
    for (const part of parts(file, 10_000)) socket.ws.send(part);
    await socket.request('ping');
    await first.kill('SIGKILL');

    const second = await startServer(env);

    expect(digest(await download(second, id, data.file_id))).toBe(digest(file));
    const again = await TestSocket.open(second.wsUrl(id));
    expect((await again.request('audio_end')).data.code).toBe('VALIDATION_ERROR');
    const retried = await send(again, 'audio/wav', file);
    expect(digest(await download(second, id, retried.data.file_id))).toBe(digest(file));
  });
});
