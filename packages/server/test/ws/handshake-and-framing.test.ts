/** RFC 6455, sections 4 to 7, on bare sockets. */
import { describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '../../../../tests/helpers/app.ts';
import { growth } from './memory.ts';
import {
  ACCEPT,
  closePayload,
  frame,
  type HandshakeOptions,
  KEY,
  message,
  OPCODES,
  RawSocket,
} from './raw-socket.ts';

/** As `openssl rand -base64` makes them: `/` and `=` cannot stand in a subprotocol, so there they are percent-encoded. */
const SECRET = 'q83vEjRWeJq83v/+EjRWeA==';
const ENCODED = encodeURIComponent(SECRET);
const { text, binary, continuation, ping, pong, close } = OPCODES;

async function shake(app: TestApp, options: HandshakeOptions) {
  const url = app.wsUrl(await app.createSession());
  const raw = await RawSocket.connect(url);
  const path = options.path?.replace('SESSION', new URL(url).pathname);
  const answer = await raw.handshake(url, { ...options, ...(path === undefined ? {} : { path }) });
  return { raw, answer };
}

describe('a handshake is accepted', () => {
  test.each<[string, HandshakeOptions, string | undefined]>([
    ['as it should be', {}, undefined],
    [
      'with headers in any case',
      {
        headers: {
          upgrade: undefined,
          uPGRADE: 'WebSocket',
          CONNECTION: 'keep-alive, UPGRADE',
          'sec-websocket-KEY': KEY,
          'SEC-WebSocket-Version': '13',
        },
      },
      undefined,
    ],
    ['with a trailing slash', { path: 'SESSION/' }, undefined],
    ['with a query', { path: 'SESSION?device=phone' }, undefined],
    ['to an absolute address', { path: 'http://localhostSESSION' }, undefined],
    ['from a local page', { headers: { Origin: 'http://localhost:5173' } }, undefined],
    ['with the subprotocol', { headers: { 'Sec-WebSocket-Protocol': 'llmgine.v1' } }, 'llmgine.v1'],
    [
      'with the subprotocol among others',
      { headers: { 'Sec-WebSocket-Protocol': 'chat, llmgine.v1' } },
      'llmgine.v1',
    ],
    [
      'with subprotocols that are not spoken here',
      { headers: { 'Sec-WebSocket-Protocol': 'chat, graphql-ws' } },
      undefined,
    ],
    [
      'with an extension, which is not used',
      { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } },
      undefined,
    ],
  ])('%s', async (_, options, subprotocol) => {
    const app = await startApp();
    const { raw, answer } = await shake(app, options);
    expect(answer).toMatchObject({ status: 101, headers: { 'sec-websocket-accept': ACCEPT } });
    expect(answer.headers['sec-websocket-protocol']).toBe(subprotocol);
    expect(answer.headers['sec-websocket-extensions']).toBeUndefined();
    raw.write(message('ping'));
    expect(await raw.json()).toMatchObject({ type: 'pong' });
  });

  test.each<[string, Record<string, string>]>([
    ['bearer', { Authorization: `Bearer ${SECRET}` }],
    ['X-API-Key', { 'X-API-Key': SECRET }],
    ['a subprotocol', { 'Sec-WebSocket-Protocol': `llmgine.v1, llmgine.bearer.${ENCODED}` }],
    ['a subprotocol, offered first', { 'Sec-WebSocket-Protocol': `llmgine.bearer.${ENCODED},llmgine.v1` }],
  ])('with a key as %s', async (_, headers) => {
    const { raw, app } = await withKey();
    const answer = await raw.handshake(app.wsUrl('550e8400-e29b-41d4-a716-446655440000'), { headers });
    expect(answer.status).toBe(101);
    const offered = 'Sec-WebSocket-Protocol' in headers;
    expect(answer.headers['sec-websocket-protocol']).toBe(offered ? 'llmgine.v1' : undefined);
    expect(JSON.stringify(answer)).not.toContain(SECRET);
  });
});

async function withKey() {
  const app = await startApp({ config: { key: SECRET } });
  return { app, raw: await RawSocket.connect(app.url) };
}

describe('a handshake is refused with a problem before the 101', () => {
  const header = (name: string, value: string | undefined): HandshakeOptions => ({
    headers: { [name]: value },
  });

  test.each<[string, HandshakeOptions, number, string, Record<string, string>?]>([
    ['no key', header('Sec-WebSocket-Key', undefined), 400, 'VALIDATION_ERROR'],
    ['a short key', header('Sec-WebSocket-Key', 'c2hvcnQ='), 400, 'VALIDATION_ERROR'],
    [
      'a key that is not base64',
      header('Sec-WebSocket-Key', '!GhlIHNhbXBsZSBub25jZQ=='),
      400,
      'VALIDATION_ERROR',
    ],
    [
      'no version',
      header('Sec-WebSocket-Version', undefined),
      426,
      'VALIDATION_ERROR',
      { 'sec-websocket-version': '13' },
    ],
    [
      'version 8',
      header('Sec-WebSocket-Version', '8'),
      426,
      'VALIDATION_ERROR',
      { 'sec-websocket-version': '13' },
    ],
    [
      'version 14',
      header('Sec-WebSocket-Version', '14'),
      426,
      'VALIDATION_ERROR',
      { 'sec-websocket-version': '13' },
    ],
    [
      'versions',
      header('Sec-WebSocket-Version', '13, 8'),
      426,
      'VALIDATION_ERROR',
      { 'sec-websocket-version': '13' },
    ],
    ['an empty subprotocol', header('Sec-WebSocket-Protocol', 'llmgine.v1,,chat'), 400, 'VALIDATION_ERROR'],
    ['a subprotocol twice', header('Sec-WebSocket-Protocol', 'chat, chat'), 400, 'VALIDATION_ERROR'],
    ['POST', { method: 'POST' }, 405, 'METHOD_NOT_ALLOWED', { allow: 'GET' }],
    ['PUT', { method: 'PUT' }, 405, 'METHOD_NOT_ALLOWED', { allow: 'GET' }],
    ['HEAD', { method: 'HEAD' }, 405, 'METHOD_NOT_ALLOWED', { allow: 'GET' }],
    ['OPTIONS', { method: 'OPTIONS' }, 405, 'METHOD_NOT_ALLOWED', { allow: 'GET' }],
    ['the root', { path: '/' }, 404, 'NOT_FOUND'],
    ['another address', { path: '/health' }, 404, 'NOT_FOUND'],
    ['the session itself', { path: '/api/sessions/550e8400-e29b-41d4-a716-446655440000' }, 404, 'NOT_FOUND'],
    ['something below it', { path: 'SESSION/more' }, 404, 'NOT_FOUND'],
    ['an address that is none', { path: '//' }, 404, 'NOT_FOUND'],
    ['an origin elsewhere', header('Origin', 'https://evil.example'), 403, 'FORBIDDEN'],
    ['no origin at all', header('Origin', 'null'), 403, 'FORBIDDEN'],
    ['an origin that looks local', header('Origin', 'http://localhost.evil.example'), 403, 'FORBIDDEN'],
    ['an origin that ends locally', header('Origin', 'http://evil.example#localhost'), 403, 'FORBIDDEN'],
    [
      'somebody behind a proxy',
      header('X-Forwarded-For', '203.0.113.7'),
      401,
      'UNAUTHENTICATED',
      { 'www-authenticate': 'Bearer' },
    ],
    [
      'another host name',
      header('Host', 'evil.example'),
      401,
      'UNAUTHENTICATED',
      { 'www-authenticate': 'Bearer' },
    ],
  ])('%s', async (_, options, status, code, headers = {}) => {
    const app = await startApp();
    const { raw, answer } = await shake(app, options);
    await raw.ended;
    expect(answer).toMatchObject({
      status,
      headers: { 'content-type': 'application/problem+json', connection: 'close', ...headers },
    });
    expect(JSON.parse(answer.body)).toEqual({
      type: `/docs#${code}`,
      title: expect.stringMatching(/\S/),
      status,
      detail: expect.stringMatching(/\S/),
      instance: expect.stringMatching(/^\//),
      code,
      request_id: expect.stringMatching(/^req_/),
    });
    expect(raw.unread).toHaveLength(0);
  });

  test.each<[string, Record<string, string>, number]>([
    ['nothing', {}, 401],
    ['a wrong bearer', { Authorization: 'Bearer wrong-key-of-many-chars' }, 401],
    ['another scheme', { Authorization: `Basic ${SECRET}` }, 401],
    ['a wrong X-API-Key', { 'X-API-Key': `${SECRET}x` }, 401],
    ['a wrong subprotocol', { 'Sec-WebSocket-Protocol': 'llmgine.v1, llmgine.bearer.wrong' }, 401],
    ['a badly encoded subprotocol', { 'Sec-WebSocket-Protocol': 'llmgine.bearer.%E0%A4' }, 401],
    ['an empty subprotocol credential', { 'Sec-WebSocket-Protocol': 'llmgine.v1, llmgine.bearer.' }, 401],
    [
      'a wrong bearer and a right subprotocol',
      { Authorization: 'Bearer no', 'Sec-WebSocket-Protocol': `llmgine.bearer.${ENCODED}` },
      401,
    ],
    [
      'the right key from a bad origin',
      { Authorization: `Bearer ${SECRET}`, Origin: 'https://evil.example' },
      403,
    ],
  ])('with a key configured: %s', async (_, headers, status) => {
    const { raw, app } = await withKey();
    const url = `${app.wsUrl('550e8400-e29b-41d4-a716-446655440000')}`;
    const answer = await raw.handshake(url, { headers });
    await raw.ended;
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({
      status,
      code: status === 401 ? 'UNAUTHENTICATED' : 'FORBIDDEN',
    });
  });

  test('a key in the address is none', async () => {
    const { raw, app } = await withKey();
    const path = `/api/sessions/550e8400-e29b-41d4-a716-446655440000/ws?token=${SECRET}&key=${SECRET}`;
    const answer = await raw.handshake(app.url, { path });
    expect(answer.status).toBe(401);
    expect(answer.body).not.toContain(SECRET);
  });

  test('check 18: the listed origin of a front end is allowed', async () => {
    const app = await startApp({ config: { key: SECRET, corsOrigins: ['https://app.example.com'] } });
    const headers = { Authorization: `Bearer ${SECRET}`, Origin: 'https://app.example.com' };
    const raw = await RawSocket.connect(app.url);
    expect((await raw.handshake(app.wsUrl('none'), { headers })).status).toBe(101);
  });
});

/** Text of a message that is exactly so many bytes long. */
function padded(bytes: number): string {
  const start = '{"type":"ping"';
  return `${start}${' '.repeat(bytes - start.length - 1)}}`;
}

/** The message as fragments of these sizes. */
function fragments(content: string, size: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const fin = at + size >= content.length;
    parts.push(frame(at === 0 ? text : continuation, content.slice(at, at + size), { fin }));
  }
  return parts;
}

const MIB = 1_048_576;
const euro = Buffer.from('€');

describe('a frame is refused', () => {
  test.each<[string, Buffer[], number]>([
    ['unmasked', [frame(text, '{"type":"ping"}', { masked: false })], 1002],
    ['RSV1', [frame(text, '{"type":"ping"}', { reserved: 4 })], 1002],
    ['RSV2', [frame(text, '{"type":"ping"}', { reserved: 2 })], 1002],
    ['RSV3', [frame(ping, '', { reserved: 1 })], 1002],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Buffer[], number] => [
      `opcode ${opcode}`,
      [frame(opcode, 'x')],
      1002,
    ]),
    ['a ping of 126 bytes', [frame(ping, Buffer.alloc(126))], 1002],
    ['a pong of 126 bytes', [frame(pong, Buffer.alloc(126))], 1002],
    ['a close of 126 bytes', [frame(close, closePayload(1000, Buffer.alloc(124, 'x')))], 1002],
    ['a ping in fragments', [frame(ping, 'x', { fin: false })], 1002],
    ['a close in fragments', [frame(close, closePayload(1000), { fin: false })], 1002],
    ['a continuation of nothing', [frame(continuation, 'x')], 1002],
    ['a continuation after the end', [...fragments('{"type": 1}', 4), frame(continuation, 'x')], 1002],
    ['a new message inside another', [frame(text, '{', { fin: false }), frame(text, '}')], 1002],
    ['a binary message inside a text', [frame(text, '{', { fin: false }), frame(binary, '}')], 1002],
    ['a close of 1 byte', [frame(close, 'x')], 1002],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code): [string, Buffer[], number] => [
      `close code ${code}`,
      [frame(close, closePayload(code))],
      1002,
    ]),
    ['a close reason that is not UTF-8', [frame(close, closePayload(1000, Buffer.from([0xff])))], 1007],
    ['text that is not UTF-8', [frame(text, Buffer.from([0x22, 0xc3, 0x28, 0x22]))], 1007],
    ['an overlong encoding', [frame(text, Buffer.from([0xc0, 0xaf]))], 1007],
    ['a surrogate', [frame(text, Buffer.from([0xed, 0xa0, 0x80]))], 1007],
    [
      'text that is not UTF-8 across fragments',
      [frame(text, euro.subarray(0, 2), { fin: false }), frame(continuation, Buffer.from([0x28]))],
      1007,
    ],
    [
      'a character that ends too early',
      [frame(text, euro.subarray(0, 1), { fin: false }), frame(continuation, '')],
      1007,
    ],
    ['one byte too many', [frame(text, padded(MIB + 1))], 1009],
    ['one byte too many, announced', [frame(text, '', { length: MIB + 1 })], 1009],
    ['a binary message that is too big', [frame(binary, '', { length: MIB + 1 })], 1009],
    ['one byte too many in fragments', fragments(padded(MIB + 1), MIB / 2), 1009],
    ['a petabyte', [frame(text, '', { length: 2n ** 50n })], 1009],
    ['more than JavaScript can count', [frame(text, '', { length: 2n ** 63n })], 1009],
    ['257 fragments of 1 byte', fragments(padded(257), 1), 1008],
    ['a flood of fragments of 1 byte', fragments(padded(100_000), 1), 1008],
    [
      'a flood of empty fragments',
      [frame(text, '', { fin: false }), ...Array<Buffer>(1000).fill(frame(continuation, '', { fin: false }))],
      1008,
    ],
  ])('%s', async (_, frames, code) => {
    const app = await startApp({ config: { websocketStallTimeout: 0.05 } });
    const raw = await RawSocket.open(app.wsUrl(await app.createSession()));

    raw.write(Buffer.concat(frames));

    // A reply to what was whole may come first.
    let next = await raw.frame();
    if (next.opcode === text) next = await raw.frame();
    expect(next.opcode).toBe(close);
    expect(next.payload.readUInt16BE(0)).toBe(code);
    // Nothing after the close, and the peer does not have to agree to it.
    raw.write(message('ping'));
    await raw.ended;
    expect(raw.unread).toHaveLength(0);
    await expect.poll(() => app.app.messaging.connections(), { interval: 5 }).toHaveLength(0);
  });
});

describe('a frame is taken', () => {
  test.each<[string, Buffer[], string]>([
    ['of exactly 1 MiB', [frame(text, padded(MIB))], 'pong'],
    ['of 1 MiB in 256 fragments', fragments(padded(MIB), MIB / 256), 'pong'],
    [
      'in fragments with a ping between them',
      [frame(text, '{"type"', { fin: false }), frame(ping, 'x'), frame(continuation, ':"ping"}')],
      'pong',
    ],
    [
      'with empty fragments',
      [
        frame(text, '', { fin: false }),
        frame(continuation, '{"type":"ping"}', { fin: false }),
        frame(continuation),
      ],
      'pong',
    ],
    [
      'with a character across fragments',
      [
        frame(text, Buffer.concat([Buffer.from('{"type":"ping","x":"'), euro.subarray(0, 1)]), {
          fin: false,
        }),
        frame(continuation, Buffer.concat([euro.subarray(1), Buffer.from('"}')])),
      ],
      'pong',
    ],
    ['after a pong that nobody asked for', [frame(pong, 'x'), message('ping')], 'pong'],
    ['that is binary, and answered with an error', [frame(binary, '{"type":"ping"}')], 'error'],
    ['that is empty, and answered with an error', [frame(text)], 'error'],
  ])('%s', async (_, frames, type) => {
    const app = await startApp();
    const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
    raw.write(Buffer.concat(frames));
    let next = await raw.frame();
    if (next.opcode === pong) next = await raw.frame();
    expect(JSON.parse(next.payload.toString())).toMatchObject({ type });
    raw.write(message('ping'));
    expect(await raw.json()).toMatchObject({ type: 'pong' });
  });

  test('one byte at a time', async () => {
    const app = await startApp();
    const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
    for (const byte of message('ping')) {
      raw.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    expect(await raw.json()).toMatchObject({ type: 'pong' });
  });

  test('a ping with its own payload back', async () => {
    const app = await startApp();
    const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
    raw.write(frame(ping, Buffer.alloc(125, 'p')));
    expect(await raw.frame()).toEqual({ opcode: pong, payload: Buffer.alloc(125, 'p') });
  });
});

describe('the end', () => {
  test.each([1000, 1001, 1003, 1008, 1012, 3000, 4999])(
    'a close with %i is answered with the same',
    async (code) => {
      const app = await startApp();
      const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
      raw.write(Buffer.concat([frame(close, closePayload(code, 'bye')), message('ping')]));
      expect(await raw.frame()).toEqual({ opcode: close, payload: closePayload(code, 'bye') });
      await raw.ended;
      expect(raw.unread).toHaveLength(0);
    },
  );

  test('a close without a code is answered without one', async () => {
    const app = await startApp();
    const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
    raw.write(frame(close));
    expect(await raw.frame()).toEqual({ opcode: close, payload: Buffer.alloc(0) });
    await raw.ended;
  });

  test('a peer that does not answer the close is destroyed, and nothing that it sends has an effect', async () => {
    const app = await startApp({ config: { websocketStallTimeout: 0.2 } });
    const sessionId = await app.createSession();
    const raw = await RawSocket.open(app.wsUrl(sessionId));
    await fetch(`${app.url}/api/sessions/${sessionId}`, { method: 'DELETE' });
    expect(await raw.closeCode()).toBe(4004);
    raw.write(Buffer.concat([message('ping'), message('get_engine_types'), frame(ping, 'x')]));
    await raw.ended;
    expect(raw.unread).toHaveLength(0);
    await expect.poll(() => openSockets(app), { interval: 5 }).toBe(0);
  });

  test('a peer that ends its side without a close is let go', async () => {
    const app = await startApp();
    const raw = await RawSocket.open(app.wsUrl(await app.createSession()));
    raw.socket.end();
    await raw.ended;
    await expect.poll(() => openSockets(app), { interval: 5 }).toBe(0);
  });
});

async function openSockets(app: TestApp): Promise<number> {
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  return Number(/^llmgine_websockets (\d+)$/m.exec(metrics)?.[1]);
}

describe('under a flood the memory of one socket stays under 4 MB', () => {
  const LIMIT = 4 * MIB;
  const open = async (count: number) => {
    const app = await startApp();
    return Promise.all(
      Array.from({ length: count }, async () => RawSocket.open(app.wsUrl(await app.createSession()))),
    );
  };

  test.each<[string, Buffer]>([
    ['256 fragments of 1 byte', Buffer.concat(fragments(padded(300), 1).slice(0, 256))],
    ['256 fragments that make 1 MiB', Buffer.concat(fragments(padded(MIB), MIB / 256).slice(0, 255))],
  ])('%s', async (_, bytes) => {
    const raws = await open(8);
    const grown = await growth(async () => {
      for (const raw of raws) raw.write(bytes);
      await Promise.all(raws.map((raw) => raw.settled()));
    });
    expect(grown / raws.length).toBeLessThan(LIMIT);
  });

  test('a message that comes byte by byte, and never ends', async () => {
    const raws = await open(2);
    for (const raw of raws) raw.write(frame(text, '', { length: MIB }));
    const one = Buffer.from(' ');
    const dribble = async (count: number) => {
      for (let n = 0; n < count && raws.some((raw) => raw.unread.length === 0); n++) {
        for (const raw of raws) raw.write(one);
        // One turn of the event loop, in which the server reads what has come.
        await new Promise(setImmediate);
      }
    };
    const grown = await growth(() => dribble(4000));
    expect(grown / raws.length).toBeLessThan(LIMIT);
    await dribble(10_000);
    expect(await Promise.all(raws.map((raw) => raw.closeCode()))).toEqual([1008, 1008]);
  });
});
