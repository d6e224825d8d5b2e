import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { expectProblem } from '../http/expect-problem.ts';
import { type RawAnswer, request } from '../http/raw.ts';

const KEY = 'correct-horse-battery';

function recordedLog(): { logger: pino.Logger; lines: string[] } {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { logger: pino({ level: 'debug' }, sink), lines };
}

it.each([
  ['a bearer credential', { authorization: `Bearer ${KEY}` }],
  ['a bearer credential in lower case', { authorization: `bearer ${KEY}` }],
  ['X-API-Key', { 'x-api-key': KEY }],
] as const)('lets the key in as %s', async (_what, headers) => {
  const { url } = await startApp({ config: { key: KEY } });

  expect((await call('GET', `${url}/api/sessions`, undefined, headers)).status).toBe(200);
});

it.each([
  ['nothing', {}],
  ['another key', { authorization: 'Bearer something-else-of-length' }],
  ['the beginning of the key', { authorization: `Bearer ${KEY.slice(0, -1)}` }],
  ['more than the key', { authorization: `Bearer ${KEY}x` }],
  ['the key in upper case', { authorization: `Bearer ${KEY.toUpperCase()}` }],
  ['the key without a scheme', { authorization: KEY }],
  ['basic credentials', { authorization: `Basic ${btoa(`x:${KEY}`)}` }],
  ['an empty bearer', { authorization: 'Bearer ' }],
  ['an empty X-API-Key', { 'x-api-key': '' }],
  ['a wrong bearer beside the key', { authorization: 'Bearer wrong', 'x-api-key': KEY }],
] as const)('refuses %s when a key is configured, also from the same machine', async (_what, headers) => {
  const { url } = await startApp({ config: { key: KEY } });

  const answer = await call('GET', `${url}/api/sessions`, undefined, headers);

  expectProblem(answer, 'UNAUTHENTICATED');
  expect(answer.headers.get('www-authenticate')).toBe('Bearer');
});

/** The lines of WWW-Authenticate: browsers take the second of two lines for a challenge, but not of two in one. */
function challenges({ text }: RawAnswer): string[] {
  return [...text.matchAll(/^www-authenticate: (.*?)\r$/gim)].map((match) => match[1] ?? '');
}

const DOCUMENTS = [
  '/docs',
  '/docs/',
  '/docs/reference.css',
  '/docs/reference.js',
  '/docs/swagger/static/swagger-ui.css',
  '/openapi.json',
  '/asyncapi.json',
];

it.each(DOCUMENTS)(
  'asks a browser for the key, and lets it in as the password of anybody: %s',
  async (path) => {
    const { url } = await startApp({ config: { key: KEY } });
    const open = (authorization = '') => request(url, `GET ${path} HTTP/1.1`, [authorization]);

    const asked = await open();
    expectProblem(asked, 'UNAUTHENTICATED');
    expect(challenges(asked)).toEqual(['Bearer', 'Basic realm="LLMgine API", charset="UTF-8"']);
    for (const wrong of ['x:wrong-horse-battery', `${KEY}:`, KEY, '']) {
      const answer = await open(`Authorization: Basic ${btoa(wrong)}`);
      expectProblem(answer, 'UNAUTHENTICATED');
      expect(challenges(answer)).toHaveLength(2);
    }
    for (const user of ['', 'anybody']) {
      expect((await open(`Authorization: Basic ${btoa(`${user}:${KEY}`)}`)).status).toBe(200);
    }
    expect((await open(`Authorization: Bearer ${KEY}`)).status).toBe(200);
  },
);

it.each(['/', '/api/sessions', '/api/info', '/metrics', '/nope', '/docs/nope'])(
  'neither asks a browser for HTTP Basic nor takes it elsewhere: %s',
  async (path) => {
    const { url } = await startApp({ config: { key: KEY } });

    const answer = await request(url, `GET ${path} HTTP/1.1`, [`Authorization: Basic ${btoa(`x:${KEY}`)}`]);

    expectProblem(answer, 'UNAUTHENTICATED');
    expect(challenges(answer)).toEqual(['Bearer']);
  },
);

it('passes over the credentials that a browser keeps for /docs, beside those that a page sends', async () => {
  const { url } = await startApp({ config: { key: KEY } });
  const authorization = `Basic ${btoa('x:whatever-it-keeps')}`;

  const right = await call('GET', `${url}/api/sessions`, undefined, { authorization, 'x-api-key': KEY });
  const wrong = await call('GET', `${url}/api/sessions`, undefined, { authorization, 'x-api-key': 'no' });

  expect(right.status).toBe(200);
  expectProblem(wrong, 'UNAUTHENTICATED');
});

it('does not ask for a password that there is not', async () => {
  const { url } = await startApp();

  const answer = await request(url, 'GET /docs HTTP/1.1', ['X-Forwarded-For: 203.0.113.9']);

  expectProblem(answer, 'UNAUTHENTICATED');
  expect(challenges(answer)).toEqual(['Bearer']);
});

it('check 20: takes no key from the address', async () => {
  const { url } = await startApp({ config: { key: KEY } });

  for (const query of [`key=${KEY}`, `api_key=${KEY}`, `access_token=${KEY}`]) {
    expectProblem(await call('GET', `${url}/api/sessions?${query}`), 'UNAUTHENTICATED');
  }
});

it('refuses unknown addresses and methods before it says what is there', async () => {
  const { url } = await startApp({ config: { key: KEY } });

  expectProblem(await call('GET', `${url}/nope`), 'UNAUTHENTICATED');
  expectProblem(await call('PATCH', `${url}/api/sessions`), 'UNAUTHENTICATED');
  expectProblem(await call('POST', `${url}/health`), 'UNAUTHENTICATED');
});

it('1 (ASVS 7.2.1): refuses every operation of the API document without a credential, except probes and the login', async () => {
  const { app, url } = await startApp({ config: { key: KEY } });
  const document = await call('GET', `${url}/openapi.json`, undefined, { 'x-api-key': KEY });
  const open: string[] = [];

  for (const [path, operations] of Object.entries<object>(document.body.paths)) {
    for (const method of Object.keys(operations)) {
      const answer = await app.inject({ method: method as 'GET', url: path.replaceAll(/[{}]/g, '') });
      if (answer.statusCode !== 401) open.push(`${method} ${path}`);
    }
  }

  expect(open).toEqual([
    'get /health',
    'get /health/ready',
    'get /health/live',
    'post /api/auth/login',
    'post /api/auth/logout',
  ]);
});

it('keeps everybody but the same machine out when no key is configured, and says once how to let them in', async () => {
  const { logger, lines } = recordedLog();
  const { url } = await startApp({ logger });

  for (let i = 0; i < 3; i++) {
    const answer = await request(url, 'GET /api/sessions HTTP/1.1', ['X-Forwarded-For: 203.0.113.9']);
    expectProblem(answer, 'UNAUTHENTICATED');
  }

  expect((await request(url, 'GET /health HTTP/1.1', ['X-Forwarded-For: 203.0.113.9'])).status).toBe(200);
  expect(lines.filter((line) => line.includes('LLMGINE_API_KEY'))).toHaveLength(1);
});

it.each([
  ['a foreign page', 'Origin: https://evil.example', 'origin', 'Origin header'],
  ['a foreign name', 'Host: evil.example', 'host', 'Host header'],
  ['a proxy', 'X-Forwarded-Host: secret.example', 'forwarded', 'header X-Forwarded-Host'],
])('says in the log and to the caller why it refused %s', async (_what, header, reason, text) => {
  const { logger, lines } = recordedLog();
  const { url } = await startApp({ logger });

  const answer = await request(url, 'GET /api/info HTTP/1.1', [header]);
  await request(url, 'GET /api/info HTTP/1.1', ['Via: 1.1 another-reason']);
  await request(url, 'GET /api/info HTTP/1.1', [header]);

  expect(JSON.parse(answer.body).detail).toContain(text);
  expect(answer.body).not.toContain('.example');
  const hints = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes('LLMGINE_API_KEY'));
  expect(hints[0].msg).toContain(text);
  expect(hints.map((hint) => hint.reason)).toEqual([...new Set([reason, 'forwarded'])]);
});

it('cannot be blinded by more headers than Node shows', async () => {
  const { url } = await startApp();
  const many = Array.from({ length: 2500 }, () => 'a:');

  const answer = await request(url, 'GET /api/sessions HTTP/1.1', [...many, 'X-Forwarded-For: 203.0.113.9']);

  expectProblem(answer, 'UNAUTHENTICATED');
});

it('20 (ASVS 14.2.1): logs neither credentials nor queries', async () => {
  const { logger, lines } = recordedLog();
  const { url } = await startApp({ logger, config: { key: KEY } });

  await call('GET', `${url}/api/sessions?token=${KEY}`, undefined, { authorization: `Bearer ${KEY}` });
  await call('GET', `${url}/api/sessions?token=${KEY}`, undefined, {
    authorization: 'Bearer another-secret-text',
  });

  await vi.waitUntil(() => lines.filter((line) => line.includes('"path":"/api/sessions"')).length === 2);
  const log = lines.join('');
  expect(log).not.toContain(KEY);
  expect(log).not.toContain('another-secret-text');
});

it('lets the holder of a key see what the same machine made before there was one', async () => {
  const { OPERATOR, LOCAL_OPERATOR } = await import('../../src/security/principal.ts');

  expect([LOCAL_OPERATOR.tenantId, LOCAL_OPERATOR.id]).toEqual([OPERATOR.tenantId, OPERATOR.id]);
});
