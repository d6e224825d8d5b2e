import { expect, test } from 'vitest';
import { type RawAnswer, request } from '../../packages/server/test/http/raw.ts';
import { RawSocket } from '../../packages/server/test/ws/raw-socket.ts';
import { startApp } from '../helpers/app.ts';

const KEY = 'correct-horse-battery';
const AUTH = `Authorization: Bearer ${KEY}`;
const SHUT = "default-src 'none'; frame-ancestors 'none'";

function expectSafe(headers: RawAnswer['headers']): void {
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(headers['referrer-policy']).toBe('no-referrer');
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(headers['cache-control']).toBe('no-store');
}

test.each([
  ['an answer', 'GET /api/sessions', [AUTH], 200],
  ['a probe', 'GET /health', [], 200],
  ['a HEAD', 'HEAD /api/info', [AUTH], 200],
  ['metrics', 'GET /metrics', [AUTH], 200],
  ['a document', 'GET /openapi.json', [AUTH], 200],
  ['a script of the reference page', 'GET /docs/reference.js', [AUTH], 200],
  ['a refusal', 'GET /api/sessions', [], 401],
  ['an address that is none', 'GET /nope', [AUTH], 404],
  ['an address that cannot be read', 'GET /%zz', [AUTH], 404],
  ['a method that is none', 'BREW /api/sessions', [], 405],
  ['a body that is no JSON', 'POST /api/sessions', [AUTH, 'Content-Type: text/plain'], 415],
  ['options', 'OPTIONS /api/sessions', [AUTH], 204],
  ['what is no good HTTP', 'GET /health', ['X-A : b'], 400],
  ['headers that are too large', 'GET /health', [`X-A: ${'a'.repeat(17_000)}`], 431],
])('check 22 (ASVS 3.4): %s carries what keeps browsers from harm', async (_what, line, headers, status) => {
  const { url } = await startApp({ config: { key: KEY } });

  const answer = await request(url, `${line} HTTP/1.1`, headers);

  expect(answer.status).toBe(status);
  expectSafe(answer.headers);
});

test('check 22: only pages for people may load anything, and only from here', async () => {
  const { url } = await startApp();

  const page = await request(url, 'GET /docs HTTP/1.1');
  const answer = await request(url, 'GET /api/info HTTP/1.1');

  expectSafe(page.headers);
  expect(page.headers['content-security-policy']).toContain("script-src 'self';");
  expect(answer.headers['content-security-policy']).toBe(SHUT);
});

test('check 22: a stream of events and a refused upgrade carry it too', async () => {
  const { url } = await startApp({ config: { key: KEY } });
  const path = `/api/sessions/550e8400-e29b-41d4-a716-446655440000`;
  const refused = await (await RawSocket.connect(url)).handshake(url, { path: `${path}/ws` });

  expect(refused.status).toBe(401);
  expectSafe(refused.headers);

  const open = await startApp();
  const id = await open.createSession();
  const controller = new AbortController();
  const stream = await fetch(`${open.url}/api/sessions/${id}/events`, {
    headers: { accept: 'text/event-stream' },
    signal: controller.signal,
  });
  expectSafe(Object.fromEntries(stream.headers));
  controller.abort();
});

test.each(['https://evil.example', 'null', 'http://localhost.evil.example'])(
  'check 22 (ASVS 3.4.2): a page of %s is told nothing that lets it read an answer',
  async (origin) => {
    const { url } = await startApp({ config: { key: KEY, corsOrigins: 'https://app.example' } });

    const foreign = await request(url, 'GET /api/info HTTP/1.1', [AUTH, `Origin: ${origin}`]);
    const known = await request(url, 'GET /api/info HTTP/1.1', [AUTH, 'Origin: https://app.example']);

    expect(foreign.headers).not.toHaveProperty('access-control-allow-origin');
    expect(known.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(known.headers.vary).toMatch(/origin/i);
  },
);

test.each([
  ['127.0.0.1', 'https', true],
  ['127.0.0.0/8', 'HTTPS', true],
  ['127.0.0.1,::1', 'http, https', true],
  ['127.0.0.1', 'https, http', false],
  ['127.0.0.1', 'http', false],
  ['10.0.0.0/8,2001:db8::/32', 'https', false],
  ['', 'https', false],
])(
  'check 22 (ASVS 3.4.1): behind the proxies "%s", who came by "%s" is told to come by HTTPS again: %s',
  async (trustedProxies, proto, told) => {
    const { url } = await startApp({ config: { key: KEY, trustedProxies } });

    for (const headers of [[AUTH], []]) {
      const answer = await request(url, 'GET /api/info HTTP/1.1', [
        ...headers,
        `X-Forwarded-Proto: ${proto}`,
      ]);
      expect(answer.headers['strict-transport-security']).toBe(told ? 'max-age=31536000' : undefined);
    }
  },
);
