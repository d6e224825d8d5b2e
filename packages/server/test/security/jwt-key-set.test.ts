/** The keys of a provider that changes them, is down, hangs, or is hostile. */
import { createServer } from 'node:net';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { type KeySetServer, startKeySetServer } from '../../../../tests/helpers/key-set-server.ts';
import { testGate } from '../../../../tests/helpers/test-engine.ts';
import { createSigner, type Signer } from '../../../../tests/helpers/tokens.ts';
import { fetchKeys } from '../../src/security/jwt/fetch-keys.ts';
import { KeySet } from '../../src/security/jwt/key-set.ts';
import { JwtVerifier } from '../../src/security/jwt/verifier.ts';
import { startJwt } from './start-jwt.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

interface Client {
  /** Moves the clock. */
  pass(ms: number): void;
  /** Who the token is of, `null`, or the code of the error. */
  ask(signer: Signer): Promise<string | null>;
  /** Fetches that failed. */
  readonly failures: unknown[];
  readonly keys: KeySet;
}

function clientOf(provider: KeySetServer): Client {
  let now = 0;
  const failures: unknown[] = [];
  const keys = new KeySet({
    fetch: () => fetchKeys(provider.url, new AbortController().signal),
    onError: (error) => failures.push(error),
    now: () => now,
  });
  const verifier = new JwtVerifier({
    algorithms: ['ES256'],
    findKey: (header) => keys.find(header),
    issuer: undefined,
    audience: undefined,
    leeway: 0,
    claims: { tenant: 'tenant', role: 'role' },
    logger: pino({ level: 'silent' }),
  });
  return {
    failures,
    keys,
    pass: (ms) => {
      now += ms;
    },
    ask: async (signer) => {
      try {
        return (await verifier.verify(await signer.sign()))?.id ?? null;
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
  };
}

const down: KeySetServer['respond'] = (response) => response.writeHead(503).end('down');

it('takes a new key as soon as a token is signed with it, and drops one that the provider has taken back', async () => {
  const [first, second] = [await createSigner('ES256', 'first'), await createSigner('ES256', 'second')];
  const provider = await startKeySetServer(first.jwk);
  const { ask, pass } = clientOf(provider);
  expect(await ask(first)).toBe('jwt:ada');

  pass(MINUTE);
  provider.keys = [first.jwk, second.jwk];
  expect([await ask(second), await ask(first)]).toEqual(['jwt:ada', 'jwt:ada']);
  expect(provider.requests).toHaveLength(2);

  provider.keys = [second.jwk];
  pass(MINUTE);
  expect(await ask(first)).toBe('jwt:ada');
  pass(10 * MINUTE);
  await ask(second);
  await expect.poll(() => ask(first)).toBeNull();
  expect(await ask(second)).toBe('jwt:ada');
});

it('makes one request of a flood of tokens with unknown keys, and lets known ones pass meanwhile', async () => {
  const [known, unknown] = [await createSigner('ES256', 'known'), await createSigner('ES256', 'unknown')];
  const provider = await startKeySetServer(known.jwk);
  const { ask, pass } = clientOf(provider);
  await ask(known);
  // Right after a fetch, an unknown key is known to be unknown.
  expect(await ask(unknown)).toBeNull();
  expect(provider.requests).toHaveLength(1);
  pass(MINUTE);
  const gate = testGate();
  provider.respond = (response) => {
    void gate.pass().then(() => response.end(JSON.stringify({ keys: [known.jwk] })));
  };

  const flood = Array.from({ length: 200 }, () => ask(unknown));
  await gate.reached;
  expect(await ask(known)).toBe('jwt:ada');
  gate.open();

  expect(new Set(await Promise.all(flood))).toEqual(new Set([null]));
  for (let i = 0; i < 20; i++) expect(await ask(unknown)).toBeNull();
  expect(provider.requests).toHaveLength(2);
});

it('goes on with the keys that it has while the provider is down, for an hour and no longer', async () => {
  const signer = await createSigner();
  const provider = await startKeySetServer(signer.jwk);
  const { ask, pass, failures } = clientOf(provider);
  await ask(signer);
  provider.respond = down;

  for (let minute = 0; minute < 60; minute++) {
    pass(MINUTE);
    expect(await ask(signer)).toBe('jwt:ada');
  }
  await expect.poll(() => failures.length).toBeGreaterThan(0);
  pass(MINUTE);
  expect(await ask(signer)).toBe('UNAVAILABLE');

  provider.respond = null;
  pass(5 * SECOND);
  expect(await ask(signer)).toBe('jwt:ada');
});

it('says that it cannot know when there never were keys, asks again after a while, and not before', async () => {
  const signer = await createSigner();
  const provider = await startKeySetServer(signer.jwk);
  provider.respond = down;
  const { ask, pass, failures } = clientOf(provider);

  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(signer)));
  expect(new Set(answers)).toEqual(new Set(['UNAVAILABLE']));
  for (let i = 0; i < 50; i++) expect(await ask(signer)).toBe('UNAVAILABLE');
  expect([provider.requests.length, failures.length]).toEqual([1, 1]);

  provider.respond = null;
  pass(4 * SECOND);
  expect(await ask(signer)).toBe('UNAVAILABLE');
  pass(SECOND);
  expect(await ask(signer)).toBe('jwt:ada');
  expect(provider.requests).toHaveLength(2);
});

it('tells tokens with an unknown key of a provider that is down from bad ones, without hammering it', async () => {
  const [known, unknown] = [await createSigner('ES256', 'known'), await createSigner('ES256', 'unknown')];
  const provider = await startKeySetServer(known.jwk);
  const { ask, pass } = clientOf(provider);
  await ask(known);
  provider.respond = down;
  pass(MINUTE);

  for (let i = 0; i < 20; i++) expect(await ask(unknown)).toBe('UNAVAILABLE');
  expect(await ask(known)).toBe('jwt:ada');

  expect(provider.requests).toHaveLength(2);
});

it('keeps the keys that it has when the provider sends something else', async () => {
  const signer = await createSigner();
  const provider = await startKeySetServer(signer.jwk);
  const { ask, pass, keys, failures } = clientOf(provider);
  await ask(signer);
  const bodies = [
    '',
    'null',
    '[]',
    '"keys"',
    '{}',
    '{"keys":{}}',
    '{"keys":[1]}',
    '{"keys":',
    '<html></html>',
  ];

  for (const body of bodies) {
    provider.respond = (response) => response.end(body);
    pass(6 * SECOND);
    await keys.prepare();
    expect(await ask(signer)).toBe('jwt:ada');
  }

  expect(failures).toHaveLength(bodies.length);
});

it('refuses a token that several keys could have signed, and one that none could', async () => {
  const [one, two] = [await createSigner('ES256', 'same'), await createSigner('ES256', 'same')];
  const provider = await startKeySetServer(one.jwk, two.jwk, { kty: 'EC', kid: 'broken', crv: 'P-256' });
  const { ask } = clientOf(provider);
  const broken = await createSigner('ES256', 'broken');

  expect([await ask(one), await ask(two), await ask(broken)]).toEqual([null, null, null]);
});

it('finds the key of a token that names none when there is only one of its kind', async () => {
  const [signer, other] = [await createSigner('ES256'), await createSigner('RS256')];
  const provider = await startKeySetServer(signer.jwk, other.jwk);
  const { verifier } = startJwt({ jwtJwksUrl: provider.url });

  expect(await verifier.verify(await signer.sign({}, { kid: undefined }))).toMatchObject({ id: 'jwt:ada' });
});

it('never takes a private key or one for something else, even when the provider publishes it', async () => {
  const signer = await createSigner();
  const wrong = [{ use: 'enc' }, { key_ops: ['sign'] }, { alg: 'ES384' }, { d: 'AAAA' }];
  for (const part of wrong) {
    const provider = await startKeySetServer({ ...signer.jwk, ...part });
    expect(await clientOf(provider).ask(signer), JSON.stringify(part)).toBeNull();
  }
});

it('follows no redirect, also not to a place on the same server', async () => {
  const signer = await createSigner();
  const sink = await startKeySetServer(signer.jwk);
  const provider = await startKeySetServer();
  const signal = new AbortController().signal;
  for (const location of [
    sink.url,
    '/elsewhere',
    'http://169.254.169.254/latest/meta-data',
    'file:///etc/passwd',
  ]) {
    for (const status of [301, 302, 303, 307, 308]) {
      provider.respond = (response) => response.writeHead(status, { location }).end();
      await expect(fetchKeys(provider.url, signal)).rejects.toThrow();
    }
  }

  expect(sink.requests).toEqual([]);
  expect(provider.requests.map(({ url }) => url)).toEqual(Array(20).fill('/keys'));
});

it('reads no more than it has to of a key set without end, also of a compressed one', async () => {
  const provider = await startKeySetServer();
  const closed = Promise.withResolvers<void>();
  provider.respond = (response) => {
    response.on('close', () => closed.resolve());
    const more = () => {
      while (
        response.write(
          '{"keys":[{"kty":"RSA","n":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}],'.repeat(50),
        )
      );
    };
    response.on('drain', more);
    more();
  };
  const signal = new AbortController().signal;

  await expect(fetchKeys(provider.url, signal)).rejects.toThrow('longer than');
  await closed.promise;
  expect(provider.requests[0]?.headers['accept-encoding']).toBe('identity');

  provider.respond = null;
  provider.keys = Array.from({ length: 101 }, () => ({ kty: 'RSA' }));
  await expect(fetchKeys(provider.url, signal)).rejects.toThrow('more than 100 keys');
});

it('gives up on a provider that answers nothing, stops in the middle, or trickles', async () => {
  const provider = await startKeySetServer();
  const signal = new AbortController().signal;
  provider.respond = () => {};
  await expect(fetchKeys(provider.url, signal, 50)).rejects.toThrow('timeout');
  provider.respond = (response) => response.write('{"keys":[');
  await expect(fetchKeys(provider.url, signal, 50)).rejects.toThrow('timeout');
  provider.respond = (response) => {
    const timer = setInterval(() => response.write(' '), 5);
    response.on('close', () => clearInterval(timer));
  };
  await expect(fetchKeys(provider.url, signal, 50)).rejects.toThrow('timeout');
});

it('survives a provider that cuts the connection or speaks another language', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('SSH-2.0-OpenSSH_9.9\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const { verifier, reports } = startJwt({ jwtJwksUrl: `http://127.0.0.1:${port}/keys` });

  const asked = verifier.verify(await (await createSigner()).sign());

  await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfter: 5 });
  expect(reports).toHaveLength(1);
});

it('ends a fetch that is on its way when the application is closed, and reports nothing', async () => {
  const provider = await startKeySetServer();
  const arrived = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  provider.respond = (response) => {
    response.on('close', () => gone.resolve());
    arrived.resolve();
  };
  const { verifier, close, reports } = startJwt({ jwtJwksUrl: provider.url });
  const asked = verifier.verify(await (await createSigner()).sign());
  await arrived.promise;

  close();

  await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await gone.promise;
  expect(reports).toEqual([]);
});
