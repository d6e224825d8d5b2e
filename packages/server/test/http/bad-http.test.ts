import { expect, it } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { expectProblem } from './expect-problem.ts';
import { exchange, open, request } from './raw.ts';

const HEADERS = 'Host: localhost\r\nContent-Type: application/json\r\n';

it.each([
  [
    'CL and TE',
    `POST /api/sessions HTTP/1.1\r\n${HEADERS}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'TE and CL',
    `POST /api/sessions HTTP/1.1\r\n${HEADERS}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
  ],
  [
    'two lengths',
    `POST /api/sessions HTTP/1.1\r\n${HEADERS}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`,
  ],
  ['a length that is no number', `POST /api/sessions HTTP/1.1\r\n${HEADERS}Content-Length: 2x\r\n\r\n{}`],
  [
    'an unknown transfer encoding',
    `POST /api/sessions HTTP/1.1\r\n${HEADERS}Transfer-Encoding: xchunked\r\n\r\n{}`,
  ],
  [
    'a broken chunk',
    `POST /api/sessions HTTP/1.1\r\n${HEADERS}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n`,
  ],
  ['a folded header', 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n\r\n'],
  ['a space before the colon', 'GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n'],
  ['a bare line feed in a header', 'GET /health HTTP/1.1\nHost: localhost\n\n'],
  ['a NUL in a header', 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: \0\r\n\r\n'],
  ['a version that is none', 'GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n'],
  ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
])('check 24 (ASVS 4.2.1): answers %s with 400 and closes the connection', async (_what, bytes) => {
  const { url } = await startApp();

  const answer = await exchange(url, `${bytes}`);

  expectProblem(answer, 'VALIDATION_ERROR', 400);
  expect(answer.headers.connection).toBe('close');
  expect(answer.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
});

it.each([
  ['no Host', []],
  ['two Hosts', ['Host: localhost', 'Host: localhost']],
])('answers %s with 400', async (_what, hosts) => {
  const { url } = await startApp();

  const answer = await exchange(
    url,
    `GET /health HTTP/1.1\r\n${hosts.map((host) => `${host}\r\n`).join('')}Connection: close\r\n\r\n`,
  );

  expectProblem(answer, 'VALIDATION_ERROR', 400);
});

it('takes headers up to 16 KiB and answers more with 431', async () => {
  const { url } = await startApp();

  const enough = await request(url, 'GET /health HTTP/1.1', [`X-A: ${'a'.repeat(15_000)}`]);
  const tooMuch = await request(url, 'GET /health HTTP/1.1', [`X-A: ${'a'.repeat(17_000)}`]);

  expect(enough.status).toBe(200);
  expectProblem(tooMuch, 'HEADERS_TOO_LARGE');
});

it.each(['TRACE', 'PROPFIND', 'PATCH', 'QUERY', 'BREW'])('answers %s with 405', async (method) => {
  const { url } = await startApp();

  const answer = await request(url, `${method} /api/sessions HTTP/1.1`);

  expectProblem(answer, 'METHOD_NOT_ALLOWED');
  expect(answer.headers.allow).toContain('GET');
});

it('answers CONNECT with 405', async () => {
  const { url } = await startApp();

  expectProblem(await request(url, 'CONNECT example.com:443 HTTP/1.1'), 'METHOD_NOT_ALLOWED');
});

it('answers an expectation that it cannot meet with 417', async () => {
  const { url } = await startApp();

  const answer = await request(url, 'GET /health HTTP/1.1', ['Expect: miracles']);

  expectProblem(answer, 'VALIDATION_ERROR', 417);
});

it('answers a body that is shorter than declared with 400', async () => {
  const { url } = await startApp();
  const socket = open(url);
  const answered = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += String(chunk);
    });
    socket.once('close', () => resolve(text));
  });

  socket.end(`POST /api/sessions HTTP/1.1\r\n${HEADERS}Content-Length: 100\r\n\r\n{}`);

  expect(await answered).toMatch(/^HTTP\/1\.1 400 /);
});

it('check 24: does not answer garbage in the middle of an answer', async () => {
  const { url, createSession } = await startApp();
  const id = await createSession();
  const socket = open(url);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += String(chunk);
    if (text.includes('retry:')) socket.write('\0garbage\r\n\r\n');
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));

  socket.write(`GET /api/sessions/${id}/events HTTP/1.1\r\n${HEADERS}Accept: text/event-stream\r\n\r\n`);
  await closed;

  expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(text).toContain('HTTP/1.1 200 OK');
});

it('does not answer garbage in the middle of an answer that another request waits for', async () => {
  const { url, createSession } = await startApp();
  const id = await createSession();
  const socket = open(url);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    const before = text;
    text += String(chunk);
    if (text.includes('retry:') && !before.includes('retry:')) {
      socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n\0garbage\r\n\r\n');
    }
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));

  socket.write(`GET /api/sessions/${id}/events HTTP/1.1\r\n${HEADERS}Accept: text/event-stream\r\n\r\n`);
  await closed;

  expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(text).toContain('HTTP/1.1 200 OK');
});

it('answers a handshake that comes before the answer to an earlier request with 400, in its turn', async () => {
  const gate = testGate();
  const { url, createSession } = await startApp({ apiFactory: testEngine(() => gate.pass()) });
  const session = `/api/sessions/${await createSession({ engine_type: 'TestEngine' })}`;
  const body = '{"command": "act", "parameters": {}}';
  const shake = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';

  const answers = exchange(
    url,
    `POST ${session}/commands HTTP/1.1\r\n${HEADERS}Content-Length: ${body.length}\r\n\r\n${body}` +
      `GET ${session}/ws HTTP/1.1\r\nHost: localhost\r\n${shake}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  await gate.reached;
  gate.open();

  const { text } = await answers;
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  const [, refusal = ''] = text.split('HTTP/1.1 400');
  expect(refusal).toMatch(/^connection: close\r$/im);
  expect(refusal).toContain('application/problem+json');
});

it('answers a client that offers HTTP/2 in HTTP/1.1', async () => {
  const { url } = await startApp();
  const socket = open(url);
  const answer = new Promise<string>((resolve) =>
    socket.once('data', (chunk: Buffer) => resolve(String(chunk))),
  );

  socket.write(
    'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
  );

  expect(await answer).toContain('HTTP/1.1 200 OK');
});
