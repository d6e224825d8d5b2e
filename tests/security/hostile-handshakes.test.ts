/** A script of hostile handshakes and tokens, over every way in of one running server: each gets in nowhere. */
import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { makeKey } from '../../packages/server/src/security/keys/format.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { startKeySetServer } from '../helpers/key-set-server.ts';
import { type Person, person } from '../helpers/people.ts';
import { rawStatus } from '../helpers/raw-request.ts';
import { createSigner, encoded, hmacToken, type Signer, withDefaults } from '../helpers/tokens.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const KEY = 'correct-horse-battery';
const PAGE = 'https://app.example';
const UPGRADE = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];

/** What a hostile caller sends with each request. */
interface Attempt {
  readonly what: string;
  readonly headers?: readonly string[];
  readonly query?: string;
  /** Offered with a WebSocket; the other ways in have no place for it. */
  readonly subprotocols?: string;
  readonly only?: 'socket' | 'requests';
  /** What else is refused before anybody looks at who it is. Default: nothing. */
  readonly malformed?: boolean;
}

interface Site extends TestApp {
  readonly sessionId: string;
  /** Errors in the log. */
  readonly errors: string[];
}

async function start(config: object, owner: (app: TestApp) => Promise<{ createSession(): Promise<string> }>) {
  const errors: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      errors.push(String(chunk));
      done();
    },
  });
  const app = await startApp({ logger: pino({ level: 'error' }, sink), config });
  return { ...app, sessionId: await (await owner(app)).createSession(), errors };
}

/** Reading, changing, deleting, following and connecting to a session, with what the attempt sends besides. */
function waysIn(sessionId: string, { headers = [], query = '', subprotocols, only }: Attempt) {
  const path = `/api/sessions/${sessionId}`;
  const offered = subprotocols === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocols}`];
  const socket = {
    way: 'connecting',
    request: { path: `${path}/ws${query}`, headers: [...UPGRADE, ...offered, ...headers] },
  };
  if (only === 'socket') return [socket];
  const event = JSON.stringify({ event_type: 'custom:note', payload: {} });
  const requests = [
    { way: 'reading', request: { path: `${path}${query}`, headers } },
    { way: 'changing', request: { method: 'POST', path: `${path}/events${query}`, headers, body: event } },
    { way: 'deleting', request: { method: 'DELETE', path: `${path}${query}`, headers } },
    {
      way: 'following',
      request: { path: `${path}/events${query}`, headers: ['Accept: text/event-stream', ...headers] },
    },
  ];
  return only === 'requests' ? requests : [...requests, socket];
}

/** Makes all attempts, each from an address of its own, so that none is refused for those before it. */
async function refusesAll({ app, url, sessionId, errors }: Site, attempts: readonly Attempt[]) {
  const { storage } = app.services;
  const effects = (['getSession', 'append', 'deleteSession', 'readEvents', 'touchSessions'] as const).map(
    (name) => vi.spyOn(storage, name),
  );
  const through: string[] = [];
  for (const [index, attempt] of attempts.entries()) {
    const address = `127.9.${Math.floor(index / 250)}.${1 + (index % 250)}`;
    const refusals = attempt.malformed === true ? [400, 401, 403] : [401, 403];
    for (const { way, request } of waysIn(sessionId, attempt)) {
      const status = await rawStatus(url, address, request);
      if (!refusals.includes(status)) through.push(`${way} with ${attempt.what}: ${status}`);
    }
  }
  expect(through).toEqual([]);
  expect(effects.flatMap(({ mock }) => mock.calls)).toEqual([]);
  expect(errors).toEqual([]);
  for (const effect of effects) effect.mockRestore();
}

/** Everywhere where a credential may stand. */
function offered(what: string, credential: string): Attempt[] {
  return [
    { what: `${what} as a bearer`, headers: [`Authorization: Bearer ${credential}`] },
    { what: `${what} in X-API-Key`, headers: [`X-API-Key: ${credential}`] },
    {
      what: `${what} as a subprotocol`,
      subprotocols: `llmgine.v1, llmgine.bearer.${encodeURIComponent(credential)}`,
      only: 'socket',
    },
  ];
}

async function hostileTokens(rsa: Signer, ec: Signer, attacker: Signer, lair: string) {
  const now = Math.floor(Date.now() / 1000);
  const unsigned = (alg: string) => `${encoded({ alg })}.${encoded(withDefaults({}))}.`;
  const good = await ec.sign();
  const [header, claims, signature = ''] = good.split('.') as [string, string, string];
  const bits = Buffer.from(signature, 'base64url');
  bits[7] = (bits[7] ?? 0) ^ 1;
  const certificate = Buffer.from(attacker.pem).toString('base64');
  return {
    'alg "none"': unsigned('none'),
    'alg "None"': unsigned('None'),
    'alg "NONE"': unsigned('NONE'),
    'alg "nOnE"': unsigned('nOnE'),
    'no alg': `${encoded({ typ: 'JWT' })}.${encoded(withDefaults({}))}.`,
    'alg "none" and the signature of another token': `${encoded({ alg: 'none' })}.${claims}.${signature}`,
    'HS256 with the public RSA key as PEM': hmacToken(
      { alg: 'HS256', kid: rsa.jwk.kid },
      withDefaults({}),
      rsa.pem,
    ),
    'HS256 with the public RSA key as JSON': hmacToken(
      { alg: 'HS256', kid: rsa.jwk.kid },
      withDefaults({}),
      JSON.stringify(rsa.jwk),
    ),
    'HS256 with an empty secret': hmacToken({ alg: 'HS256' }, withDefaults({}), ''),
    'an alg that is not listed': await (await createSigner('RS512')).sign({}, { kid: rsa.jwk.kid }),
    'the key of an attacker': await attacker.sign(),
    'the key of an attacker under a known id': await attacker.sign({}, { kid: ec.jwk.kid }),
    'an alg of another key': await ec.sign({}, { kid: rsa.jwk.kid }),
    'a path as kid': await attacker.sign({}, { kid: '../../../../dev/null' }),
    'SQL as kid': await attacker.sign({}, { kid: "x' UNION SELECT 'secret' --" }),
    'a kid of 10 KB': await attacker.sign({}, { kid: 'k'.repeat(10_240) }),
    'a URL as kid': await attacker.sign({}, { kid: lair }),
    jku: await attacker.sign({}, { jku: lair }),
    x5u: await attacker.sign({}, { x5u: lair }),
    jwk: await attacker.sign({}, { jwk: attacker.jwk }),
    x5c: await attacker.sign({}, { x5c: [certificate] }),
    'jku, jwk and x5c at once': await attacker.sign(
      {},
      { jku: lair, jwk: attacker.jwk, x5c: [certificate], kid: ec.jwk.kid },
    ),
    'a critical header that nobody knows': `${encoded({ alg: 'ES256', crit: ['b64'], b64: false })}.${claims}.${signature}`,
    expired: await ec.sign({ exp: now - 61 }),
    'not yet valid': await ec.sign({ nbf: now + 120 }),
    'without an end': await ec.sign({ exp: undefined }),
    'an end that is a text': `${header}.${encoded(withDefaults({ exp: '9999999999' }))}.${signature}`,
    'another audience': await ec.sign({ aud: 'another' }),
    'no audience': await ec.sign({ aud: undefined }),
    'another issuer': await ec.sign({ iss: 'https://id.example.evil.example' }),
    'an issuer with a slash more': await ec.sign({ iss: 'https://id.example/' }),
    'the type of an ID token for logout': await ec.sign({}, { typ: 'logout+jwt' }),
    'no subject': await ec.sign({ sub: undefined }),
    'an empty subject': await ec.sign({ sub: '' }),
    'a flipped bit': `${header}.${claims}.${bits.toString('base64url')}`,
    'an empty signature': `${header}.${claims}.`,
    'no signature': `${header}.${claims}`,
    'other claims than were signed': `${header}.${encoded(withDefaults({ role: 'admin' }))}.${signature}`,
    'a JWE': `${encoded({ alg: 'dir', enc: 'A256GCM' })}..AAAA.AAAA.AAAA`,
    'four dots': `${good}.${signature}.${signature}`,
    'JSON serialisation': encoded({ payload: claims, signatures: [{ protected: header, signature }] }),
  };
}

/** With the right form, id and sum. */
function keyWith(keyId: string): string {
  const text = `llmgine_${keyId}_${randomBytes(11).toString('hex')}`;
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  let sum = '';
  for (let rest = crc32(text), count = 0; count < 6; count++, rest = Math.floor(rest / 62)) {
    sum = `${alphabet[rest % 62]}${sum}`;
  }
  return text + sum;
}

/** Unused ones, which are good for something else than what they are used for. */
async function hostileTickets(site: Site, owner: Person): Promise<Attempt[]> {
  const { app, sessionId } = site;
  const of = async (id: string, headers = {}) =>
    (await owner.call('POST', `/api/sessions/${id}/tickets`, undefined, headers)).body.ticket as string;
  const another = await owner.createSession();
  const used = await of(sessionId);
  const protocols = ['llmgine.v1', `llmgine.ticket.${used}`];
  await (await TestSocket.open(site.wsUrl(sessionId), { protocols })).close();
  const principal = await app.services.authenticate.verify(owner.key, { headers: {} } as never);
  const { now } = performance;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) - 31_000);
  const expired = app.services.tickets.issue(principal, { sessionId, origin: undefined }).ticket;
  clock.mockRestore();
  const ticket = (what: string, text: string, headers: readonly string[] = []): Attempt => ({
    what,
    headers,
    subprotocols: `llmgine.v1, llmgine.ticket.${text}`,
    only: 'socket',
  });
  return [
    ticket('a replayed ticket', used),
    ticket('a ticket of another session', await of(another)),
    ticket('a ticket of another origin', await of(sessionId, { origin: PAGE }), ['Origin: http://localhost']),
    ticket('a ticket of an origin, without one', await of(sessionId, { origin: PAGE })),
    ticket('an expired ticket', expired),
    ticket('a key as a ticket', owner.key),
    ticket('an empty ticket', ''),
    {
      what: 'a good ticket as a bearer',
      headers: [`Authorization: Bearer llmgine.ticket.${await of(sessionId)}`],
      only: 'requests',
    },
  ];
}

const SPOOFED = [
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-For: ::1, 127.0.0.1',
  'X-Real-IP: 127.0.0.1',
  'Forwarded: for=127.0.0.1;host=localhost',
  'X-Forwarded-Host: localhost',
  'X-Client-IP: 127.0.0.1',
  'True-Client-IP: 127.0.0.1',
  'X-User-ID: operator',
  'X-Tenant-ID: default',
  'X-Forwarded-User: operator',
  'Cookie: session=operator; role=admin',
];

const FOREIGN_ORIGINS = [
  'https://evil.example',
  'null',
  `${PAGE}.evil.example`,
  'https://evilapp.example',
  `${PAGE}:444`,
  'http://app.example',
  'https://APP.example',
  `${PAGE}/`,
  'https://user@app.example',
  'http://localhost.evil.example',
  'http://127.0.0.1.evil.example',
  'http://[::1].evil.example',
  'file://',
  `${PAGE}, https://evil.example`,
];

test('checks 1, 7, 8, 9, 10, 11, 18, 19, 20 and 23: with keys and tokens configured, whatever is offered is refused before it has an effect', async () => {
  const [rsa, ec, attacker] = [
    await createSigner('RS256'),
    await createSigner('ES256'),
    await createSigner('ES256', 'of the attacker'),
  ];
  const provider = await startKeySetServer(rsa.jwk, ec.jwk);
  const lair = await startKeySetServer(attacker.jwk);
  const config = {
    key: KEY,
    corsOrigins: PAGE,
    jwtJwksUrl: provider.url,
    jwtIssuer: 'https://id.example',
    jwtAudience: 'llmgine',
    jwtLeeway: 30,
  };
  let owner: Person | undefined;
  const site = await start(config, async (app) => (owner = await person(app)));
  if (!owner) throw new Error('nobody owns the session');
  const elsewhere = await person(await startApp({ config: { key: 'another-horse-battery' } }));
  const bearer = `Authorization: Bearer ${owner.key}`;
  const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString('base64')}`;
  const tokens = await hostileTokens(rsa, ec, attacker, lair.url);

  await refusesAll(site, [
    { what: 'nothing' },
    ...Object.entries(tokens).flatMap(([what, token]) => offered(`a token: ${what}`, token)),
    ...offered('a wrong key with a good sum', makeKey().key),
    ...offered('a known id with another secret', keyWith(owner.keyId)),
    ...offered('a key cut short', owner.key.slice(0, -1)),
    ...offered('a key of another server', elsewhere.key),
    ...offered('the bootstrap key of another server', 'another-horse-battery'),
    ...offered('the id of a key', owner.keyId),
    ...(await hostileTickets(site, owner)),
    ...SPOOFED.map((line): Attempt => ({ what: line, headers: [line] })),
    ...['token', 'access_token', 'api_key', 'key', 'authorization', 'ticket'].map(
      (name): Attempt => ({ what: `the key as ?${name}=`, query: `?${name}=${KEY}` }),
    ),
    { what: 'the key as HTTP Basic', headers: [basic(`me:${KEY}`)] },
    { what: 'a key as HTTP Basic', headers: [basic(`:${owner.key}`)] },
    { what: 'a key without a scheme', headers: [`Authorization: ${owner.key}`] },
    { what: 'a key with another scheme', headers: [`Authorization: Token ${owner.key}`] },
    { what: 'a bearer of two words', headers: [`Authorization: Bearer wrong ${owner.key}`] },
    { what: 'a list of bearers', headers: [`Authorization: Bearer wrong, Bearer ${owner.key}`] },
    { what: 'a key behind a wrong one', headers: ['Authorization: Bearer wrong', bearer] },
    { what: 'a key before a wrong one', headers: [bearer, 'Authorization: Bearer wrong'] },
    { what: 'a key twice', headers: [bearer, bearer] },
    { what: 'a key behind HTTP Basic', headers: [basic('me:wrong'), bearer] },
    { what: 'two in X-API-Key', headers: [`X-API-Key: ${owner.key}`, 'X-API-Key: wrong'] },
    { what: 'a key beside an empty one', headers: ['Authorization:', bearer] },
    {
      what: 'a wrong bearer beside a key',
      headers: ['Authorization: Bearer wrong', `X-API-Key: ${owner.key}`],
    },
    { what: 'a space before the colon', headers: [`Authorization : Bearer ${owner.key}`], malformed: true },
    { what: 'a folded header', headers: [`Authorization: Bearer\r\n ${owner.key}`], malformed: true },
    ...[
      'llmgine.bearer.',
      'llmgine.bearer.%',
      'llmgine.bearer.%00',
      'llmgine.bearer.%ff%fe',
      'bearer',
      ',,',
    ].map((subprotocols): Attempt => ({ what: `"${subprotocols}"`, subprotocols, only: 'socket' })),
    { what: 'a key as the name of a subprotocol', subprotocols: owner.key, only: 'socket' },
    {
      what: 'a wrong bearer before a good one',
      subprotocols: `llmgine.bearer.x, llmgine.bearer.${owner.key}`,
      only: 'socket',
    },
    ...FOREIGN_ORIGINS.map(
      (origin): Attempt => ({
        what: `a key, on a page of ${origin}`,
        headers: [`Origin: ${origin}`, bearer],
        only: 'socket',
      }),
    ),
  ]);

  expect(lair.requests).toEqual([]);
  const events = await owner.call('GET', `/api/sessions/${site.sessionId}/events`);
  expect(events.body.events).toEqual([]);
  expect((await (await owner.connect(site.sessionId)).request('ping')).type).toBe('pong');
  for (const credential of [KEY, await ec.sign(), await rsa.sign()]) {
    const headers = { authorization: `Bearer ${credential}` };
    expect((await fetch(`${site.url}/api/sessions`, { headers })).status).toBe(200);
  }
  const entries = async (action: string) => {
    const headers = { authorization: `Bearer ${KEY}` };
    const answer = await fetch(`${site.url}/api/admin/audit?action=${action}`, { headers });
    return ((await answer.json()) as { entries: unknown[] }).entries.length;
  };
  for (const action of ['auth.refused', 'ticket.refused', 'origin.refused']) {
    await expect.poll(() => entries(action), { timeout: 10_000 }).toBeGreaterThan(0);
  }
  // The same requests with a good credential, the deleting one last.
  const ways = waysIn(site.sessionId, { what: 'a key', headers: [bearer] });
  const answers: [way: string, status: number][] = [];
  for (const { way, request } of ways.toSorted(
    (a, b) => Number(a.way === 'deleting') - Number(b.way === 'deleting'),
  )) {
    answers.push([way, await rawStatus(site.url, '127.0.0.1', request)]);
  }
  expect(answers).toEqual([
    ['reading', 200],
    ['changing', 201],
    ['following', 200],
    ['connecting', 101],
    ['deleting', 200],
  ]);
}, 60_000);

test('checks 1, 18 and 23: without a credential, only who sits at this machine gets in', async () => {
  const site = await start({ corsOrigins: PAGE }, async (app) => app);
  const { host } = new URL(site.url);

  await refusesAll(site, [
    ...SPOOFED.filter((line) => /^(?:x-forwarded|x-real|forwarded|x-client|true-client)/i.test(line)).map(
      (line): Attempt => ({ what: line, headers: [line] }),
    ),
    ...[...FOREIGN_ORIGINS, PAGE].map(
      (origin): Attempt => ({ what: `a page of ${origin}`, headers: [`Origin: ${origin}`] }),
    ),
    ...[
      'evil.example',
      `evil.example:${new URL(site.url).port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'localhost.',
      'localhost@evil.example',
      'evil.example#localhost',
      '2130706433',
      '0x7f.1',
      '[::ffff:7f00:1]',
      '0.0.0.0',
      '',
    ].map((name): Attempt => ({ what: `Host "${name}"`, headers: [`Host: ${name}`], malformed: true })),
    { what: 'a second Host', headers: [`Host: ${host}`, 'Host: evil.example'], malformed: true },
    { what: 'a Host that another header contradicts', headers: ['Host: evil.example', 'X-Host: localhost'] },
    {
      what: 'a key where there is none',
      headers: [`Host: evil.example`, `Authorization: Bearer ${makeKey().key}`],
    },
    ...offered('a key of nobody', makeKey().key),
  ]);

  expect((await fetch(`${site.url}/api/sessions/${site.sessionId}`)).status).toBe(200);
  const socket = await TestSocket.open(site.wsUrl(site.sessionId), {
    headers: { origin: 'http://localhost:5173' },
  });
  expect((await socket.request('ping')).type).toBe('pong');
  onTestFinished(() => socket.close());
});
