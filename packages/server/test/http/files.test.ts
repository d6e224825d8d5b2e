import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startApp, type TestApp } from '../../../../tests/helpers/app.ts';
import { parts, recording, wav } from '../../../../tests/helpers/audio.ts';
import { testDatabase } from '../../../../tests/helpers/postgres.ts';
import { type Answer, call } from '../../../../tests/helpers/rest.ts';
import { testGate } from '../../../../tests/helpers/test-engine.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { LOCAL_OPERATOR } from '../../src/security/principal.ts';
import { FileUpload } from '../../src/sessions/file-upload.ts';
import { keyOf } from '../../src/sessions/service.ts';
import { startProxy } from '../storage/postgres-proxy.ts';
import { expectProblem } from './expect-problem.ts';
import { request } from './raw.ts';

async function start(config: object = {}): Promise<TestApp & { id: string; audioUrl: string }> {
  const app = await startApp({ config });
  const id = await app.createSession();
  return { ...app, id, audioUrl: `${app.url}/api/sessions/${id}/audio` };
}

async function upload(
  url: string,
  body: Buffer | ReadableStream,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'audio/wav', ...headers },
    body: body as Uint8Array<ArrayBuffer> | ReadableStream,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** An upload that goes on when the test says so. */
function slowUpload(url: string): { client: ClientRequest; answered: Promise<number> } {
  const client = httpRequest(url, { method: 'POST', headers: { 'content-type': 'audio/wav' } });
  client.on('error', () => {});
  onTestFinished(() => void client.destroy());
  const answered = once(client, 'response').then(([response]) => {
    (response as IncomingMessage).resume();
    return (response as IncomingMessage).statusCode ?? 0;
  });
  answered.catch(() => {});
  return { client, answered };
}

const leftOver = ({ app }: TestApp) => app.services.storage.files.nextPurge();

afterEach(() => void vi.restoreAllMocks());

describe('a recording', () => {
  it('is taken as the body, also when it is larger than other bodies may be', async () => {
    const { url, id, audioUrl } = await start({ maxBodySize: 1024 });
    const file = wav(60);

    const answer = await upload(audioUrl, file);

    expect(answer.status).toBe(201);
    const { file_id: fileId } = answer.body;
    expect(answer.body).toEqual({
      file_id: expect.any(String),
      mime_type: 'audio/wav',
      size: file.length,
      duration: 60,
    });
    expect(answer.headers.get('location')).toBe(`/api/sessions/${id}/files/${fileId}`);
    const found = await call('GET', `${url}${answer.headers.get('location')}`);
    expect(found.body).toEqual({ ...answer.body, created_at: expect.any(String) });
  });

  it('comes in chunks of unknown number, too', async () => {
    const { audioUrl } = await start();
    const body = new ReadableStream({
      start(controller) {
        for (const part of parts(wav(5), 3000)) controller.enqueue(new Uint8Array(part));
        controller.close();
      },
    });
    expect((await upload(audioUrl, body)).body.size).toBe(wav(5).length);
  });

  it('is given back as it was, as something that no browser shows', async () => {
    const { url, id, audioUrl } = await start();
    const file = recording('tone.webm');
    const { body } = await upload(audioUrl, file, { 'content-type': 'video/webm;codecs=opus' });

    const response = await fetch(`${url}/api/sessions/${id}/files/${body.file_id}/content`);

    expect(Buffer.from(await response.arrayBuffer()).equals(file)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'audio/webm',
      'content-length': String(file.length),
      'content-disposition': `attachment; filename="${body.file_id}.webm"`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': 'sandbox',
    });
  });

  it('is not read to be asked about', async () => {
    const app = await start();
    const { body } = await upload(app.audioUrl, wav(20));
    const read = vi.spyOn(app.app.services.storage.files, 'read');
    const url = `${app.url}/api/sessions/${app.id}/files/${body.file_id}/content`;
    const response = await fetch(url, { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe(String(wav(20).length));
    expect(read).not.toHaveBeenCalled();
  });

  it.each([
    ['nothing of a type', ''],
    ['JSON', 'Content-Type: application/json'],
    ['sound of a kind that is not taken', 'Content-Type: audio/basic'],
    ['a form', 'Content-Type: multipart/form-data; boundary=x'],
    ['something compressed', 'Content-Type: audio/wav\r\nContent-Encoding: gzip'],
  ])('that is declared as %s is 415', async (_, header) => {
    const { url, id } = await start();
    const line = `POST /api/sessions/${id}/audio HTTP/1.1`;
    const answer = await request(url, line, [header, 'Content-Length: 2'], '{}');
    expectProblem(answer, 'UNSUPPORTED_MEDIA_TYPE');
    expect(JSON.parse(answer.body).detail).not.toContain('application/json');
  });

  it('that is none, or another than was declared, is 422 and leaves nothing', async () => {
    const app = await start();
    expectProblem(await upload(app.audioUrl, Buffer.from('hello')), 'VALIDATION_ERROR');
    expectProblem(await upload(app.audioUrl, wav(1), { 'content-type': 'audio/mpeg' }), 'VALIDATION_ERROR');
    expectProblem(await upload(app.audioUrl, Buffer.alloc(0)), 'VALIDATION_ERROR');
    await expect.poll(() => leftOver(app)).toBeNull();
  });

  it('that is too large is 413: at once when it says so, else when it is', async () => {
    const app = await start({ maxAudioSize: 100_000 });
    const line = `POST /api/sessions/${app.id}/audio HTTP/1.1`;
    const headers = ['Content-Type: audio/wav', 'Content-Length: 100001'];
    expectProblem(await request(app.url, line, headers), 'MESSAGE_TOO_LARGE');

    const { client, answered } = slowUpload(app.audioUrl);
    for (const part of parts(wav(7), 10_000)) client.write(part);
    expect(await answered).toBe(413);
    await expect.poll(() => leftOver(app)).toBeNull();
    expect((await upload(app.audioUrl, wav(6))).status).toBe(201);
  });

  it('for a session that is not there is 404', async () => {
    const { url } = await start();
    const nowhere = `${url}/api/sessions/00000000-0000-4000-8000-000000000000/audio`;
    expectProblem(await upload(nowhere, wav(1)), 'SESSION_NOT_FOUND');
  });

  it('one more than a session keeps is 429', async () => {
    const app = await start();
    const { files } = app.app.services.storage;
    const key = keyOf(LOCAL_OPERATOR, app.id);
    const limits = { maxFiles: 1000, maxBytes: 1000 };
    for (let n = 1; n < 1000; n++) {
      const file = { fileId: `file_${n}`, room: 1, createdAt: Date.now() };
      expect(await files.begin(key, file, limits)).toBe('begun');
    }
    expect((await upload(app.audioUrl, wav(1))).status).toBe(201);
    expectProblem(await upload(app.audioUrl, wav(1)), 'RESOURCE_LIMIT_EXCEEDED');
  });
});

describe('Idempotency-Key', () => {
  it('takes a recording once, and tells another one from it', async () => {
    const app = await start();
    const key = { 'Idempotency-Key': 'mine' };

    const first = await upload(app.audioUrl, wav(2), key);
    const again = await upload(app.audioUrl, wav(2), key);
    const other = await upload(app.audioUrl, wav(3), key);
    const otherType = await upload(app.audioUrl, wav(2), { ...key, 'content-type': 'audio/x-wav' });

    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expectProblem(other, 'IDEMPOTENCY_MISMATCH');
    expectProblem(otherType, 'IDEMPOTENCY_MISMATCH');
    // What was sent again is gone.
    await expect.poll(() => leftOver(app)).toBeNull();
    expect((await call('GET', `${app.url}${first.headers.get('location')}`)).status).toBe(200);
  });

  it('makes one file of many that come at once', async () => {
    const app = await start();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => upload(app.audioUrl, wav(2), { 'Idempotency-Key': 'mine' })),
    );
    const made = answers.filter(({ status }) => status === 201).map(({ body }) => body.file_id);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made).size).toBe(1);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      expectProblem(answer, 'IDEMPOTENCY_IN_PROGRESS');
    }
    await expect.poll(() => leftOver(app)).toBeNull();
  });
});

describe('a file', () => {
  it('is deleted once, with a key as often as one likes', async () => {
    const app = await start();
    const { body } = await upload(app.audioUrl, wav(1));
    const url = `${app.url}/api/sessions/${app.id}/files/${body.file_id}`;
    const key = { 'Idempotency-Key': 'mine' };

    const deleted = [await call('DELETE', url, undefined, key), await call('DELETE', url, undefined, key)];

    for (const answer of deleted) {
      expect(answer).toMatchObject({ status: 200, body: { file_id: body.file_id } });
    }
    for (const answer of [
      await call('DELETE', url),
      await call('GET', url),
      await call('GET', `${url}/content`),
    ]) {
      expectProblem(answer, 'NOT_FOUND');
    }
    await expect.poll(() => leftOver(app)).toBeNull();
  });

  it('is of its session alone', async () => {
    const app = await start();
    const { body } = await upload(app.audioUrl, wav(1));
    const other = `${app.url}/api/sessions/${await app.createSession()}/files/${body.file_id}`;
    for (const method of ['GET', 'DELETE']) expectProblem(await call(method, other), 'NOT_FOUND');
    expectProblem(await call('GET', `${other}/content`), 'NOT_FOUND');
    expectProblem(await call('GET', `${app.url}/api/sessions/${app.id}/files/%00`), 'NOT_FOUND');
  });

  it('that is deleted while it is read ends the answer before its end', async () => {
    const app = await start();
    const { body } = await upload(app.audioUrl, wav(60));
    const url = `${app.url}/api/sessions/${app.id}/files/${body.file_id}`;
    const { files } = app.app.services.storage;
    const read = files.read.bind(files);
    vi.spyOn(files, 'read').mockImplementation(async (key, fileId, from) => {
      if (from > 0) await files.remove(key, fileId);
      return read(key, fileId, from);
    });
    const response = await fetch(`${url}/content`);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });
});

describe('an upload', () => {
  it('whose commit is not heard of is taken, not told as failed and kept', async () => {
    const proxy = await startProxy((await testDatabase()).url);
    const app = await start({ databaseUrl: proxy.url });
    const { files } = app.app.services.storage;
    const complete = files.complete.bind(files);
    vi.spyOn(files, 'complete').mockImplementation((...args) => {
      proxy.loseAnswersTo('commit', 1);
      return complete(...args);
    });

    const { status, body } = await upload(app.audioUrl, wav(1));

    expect(proxy.lost).toBe(1);
    expect(status).toBe(201);
    const found = await call('GET', `${app.url}/api/sessions/${app.id}/files/${body.file_id}`);
    expect(found.body).toMatchObject(body);
  });

  it('whose client hangs up leaves nothing', async () => {
    const app = await start();
    const { client } = slowUpload(app.audioUrl);
    client.write(wav(20));
    await expect.poll(() => leftOver(app)).not.toBeNull();
    client.destroy();
    await expect.poll(() => leftOver(app)).toBeNull();
  });

  it('takes as long as it takes, other than other requests', async () => {
    const { app } = await startApp();
    const http = await createHttpServer(app.services);
    onTestFinished(() => http.close());
    await http.listen({ host: '127.0.0.1', port: 0 });
    const url = `http://127.0.0.1:${(http.server.address() as AddressInfo).port}`;
    const made = await call('POST', `${url}/api/sessions`);
    const connected = once(http.server, 'connection') as Promise<[Socket]>;
    const { client, answered } = slowUpload(`${url}/api/sessions/${made.body.session_id}/audio`);
    client.write(wav(1).subarray(0, 100));
    const [socket] = await connected;
    await expect.poll(() => app.services.storage.files.nextPurge()).not.toBeNull();

    // What the server emits when its clock runs out, which a test does not wait for.
    const late = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    http.server.emit('clientError', late, socket);
    client.end(wav(1).subarray(100));

    expect(await answered).toBe(201);
  });

  it('is read no faster than it can be kept', async () => {
    const app = await start({ maxAudioSize: 67_108_864 });
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

    const { client, answered } = slowUpload(app.audioUrl);
    client.end(file);
    await gate.reached;
    await expect.poll(bytesTaken).toBeGreaterThan(262_144);
    // As long as this takes, everything that can be read is read.
    for (let n = 0; n < 50; n++) await call('GET', `${app.url}/health`);
    const waiting = bytesTaken();
    gate.open();

    expect(waiting).toBeLessThan(1_048_576);
    expect(await answered).toBe(201);
  });
});
