import { expect, it } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';

const KEY = 'correct-horse-battery';
const CONFIGURED = 'https://app.example.com';

/** A key lets every origin past the same-machine gate, so that only CORS decides what a page may read. */
async function start() {
  const { url } = await startApp({ config: { key: KEY, corsOrigins: [CONFIGURED] } });
  return (origin: string | undefined, init: RequestInit = {}) =>
    fetch(`${url}/api/sessions`, {
      ...init,
      headers: {
        authorization: `Bearer ${KEY}`,
        ...(origin === undefined ? {} : { origin }),
        ...init.headers,
      },
    });
}

it.each([
  'http://localhost:5173',
  'https://localhost',
  'http://app.localhost:3000',
  'http://127.0.0.1:8080',
  'http://127.9.9.9',
  'http://[::1]:4000',
  CONFIGURED,
])('lets pages of %s read answers', async (origin) => {
  const get = await start();

  const { headers } = await get(origin);

  expect(headers.get('access-control-allow-origin')).toBe(origin);
  expect(headers.get('access-control-allow-credentials')).toBe('true');
  expect(headers.get('vary')).toContain('Origin');
  for (const name of ['Location', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-Id']) {
    expect(headers.get('access-control-expose-headers')).toContain(name);
  }
});

it.each([
  'https://evil.example',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com.evil.example',
  'https://evilapp.example.com',
  'https://APP.example.com',
  'http://localhost.evil.example',
  'http://localhost:5173.evil.example',
  'null',
  '*',
])('does not let pages of %s read answers', async (origin) => {
  const get = await start();

  for (const method of ['GET', 'OPTIONS']) {
    const { headers } = await get(origin, { method, headers: { 'access-control-request-method': 'GET' } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  }
});

it('says nothing about origins to callers that are no pages', async () => {
  const get = await start();

  expect((await get(undefined)).headers.get('access-control-allow-origin')).toBeNull();
});

it('answers a preflight without a credential', async () => {
  const { url } = await startApp({ config: { key: KEY } });

  const answer = await fetch(`${url}/api/sessions/x/engine`, {
    method: 'OPTIONS',
    headers: {
      origin: 'http://localhost:5173',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization, content-type, idempotency-key, last-event-id',
    },
  });

  expect(answer.status).toBe(204);
  expect(answer.headers.get('access-control-allow-methods')?.split(', ')).toEqual(
    expect.arrayContaining(['GET', 'POST', 'PUT', 'DELETE']),
  );
  for (const name of [
    'Authorization',
    'Content-Type',
    'Idempotency-Key',
    'Last-Event-ID',
    'X-API-Key',
    'X-CSRF-Token',
    'Prefer',
  ]) {
    expect(answer.headers.get('access-control-allow-headers')).toContain(name);
  }
});

it('lets allowed pages read problems too', async () => {
  const { url } = await startApp({ config: { key: KEY } });

  const answer = await fetch(`${url}/api/sessions`, { headers: { origin: 'http://localhost:5173' } });

  expect(answer.status).toBe(401);
  expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
});

it('check 22: keeps a foreign page away from a server without a key, even for what needs no reading', async () => {
  const { url } = await startApp();

  const answer = await fetch(`${url}/api/sessions`, {
    method: 'POST',
    headers: { origin: 'https://evil.example' },
  });

  expect(answer.status).toBe(401);
});
