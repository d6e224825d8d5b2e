/** Tokens of an identity provider, over REST, WebSocket and event streams of a real server. */
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type StartOptions, startApp } from '../helpers/app.ts';
import { type KeySetServer, startKeySetServer } from '../helpers/key-set-server.ts';
import { type Answer, call } from '../helpers/rest.ts';
import { TestStream } from '../helpers/sse-client.ts';
import { createSigner, encoded, hmacToken, type Signer, withDefaults } from '../helpers/tokens.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const KEY = 'correct-horse-battery';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

interface Site {
  readonly url: string;
  readonly provider: KeySetServer;
  readonly signer: Signer;
  as(token: string, method: string, path: string, body?: unknown): Promise<Answer>;
  /** A session of whoever has the token. */
  sessionOf(token: string): Promise<string>;
  wsUrl(sessionId: string): string;
}

async function startSite({ config, ...options }: StartOptions = {}): Promise<Site> {
  const signer = await createSigner();
  const provider = await startKeySetServer(signer.jwk);
  const settings = {
    jwtIssuer: 'https://id.example',
    jwtAudience: 'llmgine',
    jwtJwksUrl: provider.url,
    ...config,
  };
  const { url, wsUrl } = await startApp({ ...options, config: settings });
  const as: Site['as'] = (token, method, path, body) => call(method, url + path, body, bearer(token));
  return {
    url,
    wsUrl,
    provider,
    signer,
    as,
    sessionOf: async (token) => (await as(token, 'POST', '/api/sessions', {})).body.session_id,
  };
}

test('people with tokens each have their own sessions, and neither the operator nor a namesake is one of them', async () => {
  const { as, sessionOf, signer } = await startSite({ config: { key: KEY } });
  const [ada, ben] = [await signer.sign(), await signer.sign({ sub: 'ben' })];
  const others: [string, string][] = [
    ['another person', ben],
    ['the same name in another tenant', await signer.sign({ tenant: 'acme' })],
    ['a name that looks like the id of another', await signer.sign({ sub: 'jwt:ada' })],
    ['the name of the operator', await signer.sign({ sub: 'operator', role: 'admin' })],
    ['the operator', KEY],
  ];
  const session = await sessionOf(ada);
  const path = `/api/sessions/${session}`;

  expect((await as(ada, 'GET', path)).status).toBe(200);
  expect((await as(await signer.sign(), 'GET', path)).status).toBe(200);
  for (const [who, token] of others) {
    expect((await as(token, 'GET', path)).status, who).toBe(404);
    expect((await as(token, 'DELETE', path)).status, who).toBe(404);
    expect((await as(token, 'GET', '/api/sessions')).body.sessions, who).toEqual([]);
  }
  const operators = await sessionOf(KEY);
  const impostor = await signer.sign({ sub: 'operator', role: 'admin' });
  expect((await as(impostor, 'GET', `/api/sessions/${operators}`)).status).toBe(404);
});

test('the role and the scope of a token are what its holder may do', async () => {
  const { as, signer } = await startSite();
  const status = async (claims: object) => {
    const token = await signer.sign(claims);
    return [
      (await as(token, 'GET', '/api/sessions')).status,
      (await as(token, 'POST', '/api/sessions', {})).status,
      (await as(token, 'GET', '/api/admin/keys')).status,
    ];
  };

  expect(await status({ role: 'viewer' })).toEqual([200, 403, 403]);
  expect(await status({ role: 'Admin' })).toEqual([200, 403, 403]);
  expect(await status({})).toEqual([200, 201, 403]);
  expect(await status({ role: 'admin' })).toEqual([200, 201, 200]);
  expect(await status({ role: 'admin', scope: 'sessions:read' })).toEqual([200, 403, 403]);
  expect(await status({ role: 'viewer', scope: 'admin metrics:read sessions:write' })).toEqual([
    403, 403, 403,
  ]);
});

test('a token opens sockets, as a header or as a subprotocol, and event streams', async () => {
  const { signer, sessionOf, url, wsUrl } = await startSite();
  const token = await signer.sign();
  const session = await sessionOf(token);

  const sockets = [
    await TestSocket.open(wsUrl(session), { headers: bearer(token) }),
    await TestSocket.open(wsUrl(session), { protocols: ['llmgine.v1', `llmgine.bearer.${token}`] }),
  ];
  const stream = await TestStream.open(`${url}/api/sessions/${session}/events`, { headers: bearer(token) });

  for (const socket of sockets) {
    expect((await socket.request('ping')).type).toBe('pong');
    expect(socket.ws.protocol).not.toContain(token);
  }
  expect(stream.events).toBeDefined();
});

test('a socket goes on with a new token of the same person, and with nobody else’s', async () => {
  const { signer, sessionOf, wsUrl } = await startSite({ config: { jwtLeeway: 0 } });
  const token = await signer.sign();
  const socket = await TestSocket.open(wsUrl(await sessionOf(token)), { headers: bearer(token) });
  const exp = Math.floor(Date.now() / 1000) + 3600;

  const refreshed = await socket.request('authenticate', { token: await signer.sign({ exp }) });
  const bens = await socket.request('authenticate', { token: await signer.sign({ sub: 'ben', exp }) });
  const bad = await socket.request('authenticate', { token: await signer.sign({ aud: 'another' }) });

  expect(refreshed).toMatchObject({
    type: 'authenticated',
    data: { subject: 'jwt:ada', role: 'user', expires_at: new Date(exp * 1000).toISOString() },
  });
  expect([bens.data.code, bad.data.code]).toEqual(['FORBIDDEN', 'UNAUTHENTICATED']);
  expect((await socket.request('ping')).type).toBe('pong');
});

test('a provider that has changed its keys disturbs nobody', async () => {
  const { provider, signer, sessionOf, as, wsUrl } = await startSite();
  const token = await signer.sign();
  const session = await sessionOf(token);
  const socket = await TestSocket.open(wsUrl(session), { headers: bearer(token) });
  const next = await createSigner('EdDSA', 'next');
  provider.keys = [signer.jwk, next.jwk];
  // Long after the last look.
  const { now } = performance;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 60_000);
  onTestFinished(() => clock.mockRestore());

  const answer = await as(await next.sign(), 'GET', `/api/sessions/${session}`);

  expect(answer.status).toBe(200);
  expect((await as(token, 'GET', `/api/sessions/${session}`)).status).toBe(200);
  expect((await socket.request('ping')).type).toBe('pong');
});

test('without keys of the provider, tokens get a 503 and everything else goes on', async () => {
  const { provider, signer, as } = await startSite({ config: { key: KEY } });
  expect((await as(await signer.sign(), 'GET', '/api/sessions')).status).toBe(200);
  provider.respond = (response) => response.writeHead(500).end();
  const fresh = await startApp({ config: { jwtJwksUrl: provider.url, key: KEY } });
  const token = await signer.sign();

  const answer = await call('GET', `${fresh.url}/api/sessions`, undefined, bearer(token));
  const socket = TestSocket.open(fresh.wsUrl(crypto.randomUUID()), { headers: bearer(token) });

  expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
    503,
    'UNAVAILABLE',
    '5',
  ]);
  await expect(socket).rejects.toThrow('503');
  expect(JSON.stringify(answer.body)).not.toContain('127.0.0.1');
  expect((await call('GET', `${fresh.url}/api/sessions`, undefined, bearer(KEY))).status).toBe(200);
  expect((await call('GET', `${fresh.url}/api/sessions`, undefined, bearer('no-token'))).status).toBe(401);
  // Whoever has the keys already notices nothing.
  expect((await as(token, 'GET', '/api/sessions')).status).toBe(200);
});

test('20 (ASVS 14.2.1): neither tokens nor what they say is in the log', async () => {
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  const { as, signer, wsUrl, sessionOf } = await startSite({ logger: pino({ level: 'trace' }, sink) });
  const good = await signer.sign({ canary: 'canary' });
  const session = await sessionOf(good);
  await TestSocket.open(wsUrl(session), { protocols: ['llmgine.v1', `llmgine.bearer.${good}`] });
  for (const claims of [{ aud: 'canary' }, { iss: 'canary' }, { exp: 1 }]) {
    expect(
      (await as(await signer.sign({ ...claims, canary: 'canary' }), 'GET', '/api/sessions')).status,
    ).toBe(401);
  }

  await vi.waitUntil(() => lines.filter((line) => line.includes('"path":"/api/sessions"')).length === 4);
  const log = lines.join('');
  expect(log).toContain('aud: check_failed');
  expect(log).not.toMatch(/eyJ|canary/);
});

/** One for each way in which a token can be wrong. The tests of the verifier have them all. */
const TRICKS: readonly (readonly [string, (signer: Signer) => Promise<string> | string])[] = [
  ['7 (ASVS 9.1.1): a flipped bit', async ({ sign }) => flipped(await sign())],
  ['7 (ASVS 9.1.1): no signature', async ({ sign }) => (await sign()).replace(/[^.]*$/, '')],
  ['8 (ASVS 9.1.2): "nOnE"', () => `${encoded({ alg: 'nOnE' })}.${encoded(withDefaults({}))}.`],
  [
    '8 (ASVS 9.1.2): HS256 with the public key',
    ({ pem }) => hmacToken({ alg: 'HS256' }, withDefaults({}), pem),
  ],
  ['9 (ASVS 9.1.3): a key of its own', async ({ jwk: { kid } }) => (await createSigner()).sign({}, { kid })],
  ['9 (ASVS 9.1.3): a path as the id of the key', ({ sign }) => sign({}, { kid: '../../etc/passwd' })],
  ['9 (ASVS 9.1.3): an id of 10 KB', ({ sign }) => sign({}, { kid: 'k'.repeat(10_240) })],
  ['10 (ASVS 9.2.1): expired', ({ sign }) => sign({ exp: Math.floor(Date.now() / 1000) - 61 })],
  ['10 (ASVS 9.2.1): not yet valid', ({ sign }) => sign({ nbf: Math.floor(Date.now() / 1000) + 200 })],
  ['10 (ASVS 9.2.1): without an end', ({ sign }) => sign({ exp: undefined })],
  ['11 (ASVS 9.2.2): another type', ({ sign }) => sign({}, { typ: 'logout+jwt' })],
  ['11 (ASVS 9.2.3): another audience', ({ sign }) => sign({ aud: 'another' })],
  ['11 (ASVS 9.2.3): another issuer', ({ sign }) => sign({ iss: 'https://evil.example' })],
  ['11 (RFC 8725): encrypted', () => `${encoded({ alg: 'dir', enc: 'A256GCM' })}..AAAA.AAAA.AAAA`],
];

function flipped(token: string): string {
  const [header, claims, signature = ''] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return `${header}.${claims}.${bytes.toString('base64url')}`;
}

describe('gets in nowhere', () => {
  test.each(TRICKS)('%s', async (_what, make) => {
    const { signer, provider, sessionOf, url, wsUrl } = await startSite({ config: { jwtLeeway: 60 } });
    const session = await sessionOf(await signer.sign());
    const token = await make(signer);
    const asked = provider.requests.length;

    const answers = [
      await call('GET', `${url}/api/sessions/${session}`, undefined, bearer(token)),
      await call('GET', `${url}/api/sessions/${session}`, undefined, { 'x-api-key': token }),
    ];
    const protocols = ['llmgine.v1', `llmgine.bearer.${token}`];

    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
      Array(2).fill([401, 'UNAUTHENTICATED']),
    );
    await expect(TestSocket.open(wsUrl(session), { headers: bearer(token) })).rejects.toThrow('401');
    await expect(TestSocket.open(wsUrl(session), { protocols })).rejects.toThrow('401');
    await expect(
      TestStream.open(`${url}/api/sessions/${session}/events`, { headers: bearer(token) }),
    ).rejects.toThrow('401');
    expect(provider.requests).toHaveLength(asked);
  });
});
