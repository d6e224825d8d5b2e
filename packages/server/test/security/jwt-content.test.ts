/** Tokens that are signed well, but out of date, for somebody else, or made to confuse whoever reads them. */
import { CompactEncrypt, importJWK } from 'jose';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createSigner, encoded, hmacToken, withDefaults } from '../../../../tests/helpers/tokens.ts';
import { EXPECTED, hs256, SECRET, startDoor, startKeySetDoor, startSecretDoor } from './jwt-door.ts';

it('10 (ASVS 9.2.1): enforces exp and nbf with the leeway that is configured, and demands exp', async () => {
  const { letsIn, refuses } = startDoor({ ...EXPECTED, jwtSecret: SECRET, jwtLeeway: 60 });
  const now = 1_800_000_000;
  vi.useFakeTimers({ toFake: ['Date'], now: now * 1000 });
  onTestFinished(() => void vi.useRealTimers());

  await letsIn(hs256({ exp: now - 59 }));
  await refuses(hs256({ exp: now - 60 }));
  await letsIn(hs256({ nbf: now + 60 }));
  await refuses(hs256({ nbf: now + 61 }));
  await refuses(hs256({ exp: undefined }));
  for (const exp of [null, '9999999999', true, [now + 300], { at: now }, -1, 0, 1e300]) {
    await refuses(hs256({ exp }), `exp: ${JSON.stringify(exp)}`);
  }
  for (const nbf of [null, '0', false, [0], 1e300]) {
    await refuses(hs256({ nbf }), `nbf: ${JSON.stringify(nbf)}`);
  }
  const endless = JSON.stringify(withDefaults({})).replace(/"exp":\d+/, '"exp":1e999');
  await refuses(hmacToken({ alg: 'HS256' }, endless, SECRET));
});

it('10 (ASVS 9.2.1): takes no leeway where none is configured, and never more than a minute', async () => {
  const { letsIn, refuses } = startDoor({ ...EXPECTED, jwtSecret: SECRET, jwtLeeway: 0 });
  const now = 1_800_000_000;
  vi.useFakeTimers({ toFake: ['Date'], now: now * 1000 });
  onTestFinished(() => void vi.useRealTimers());

  await letsIn(hs256({ exp: now + 1, nbf: now }));
  await refuses(hs256({ exp: now }));
  await refuses(hs256({ nbf: now + 1 }));
  expect(() => startDoor({ jwtSecret: SECRET, jwtLeeway: 61 })).toThrow('jwtLeeway is 61');
});

it('11 (ASVS 9.2.2): refuses tokens of another type', async () => {
  const signer = await createSigner();
  const { refuses } = await startKeySetDoor([signer]);

  const types = [
    'dpop+jwt',
    'logout+jwt',
    'secevent+jwt',
    'id_token',
    'JOSE',
    '',
    'jwt ',
    null,
    1,
    ['JWT'],
    {},
  ];
  for (const typ of types) await refuses(await signer.sign({}, { typ }));
});

it('11 (ASVS 9.2.3): refuses tokens for somebody else, and of somebody else', async () => {
  const signer = await createSigner();
  const { refuses } = await startKeySetDoor([signer]);

  const audiences = [
    undefined,
    null,
    '',
    'another',
    'llmgine2',
    'LLMGINE',
    ' llmgine',
    [],
    ['another'],
    [['llmgine']],
    { llmgine: 1 },
  ];
  for (const aud of audiences) await refuses(await signer.sign({ aud }));
  const issuers = [
    undefined,
    null,
    '',
    'https://id.example/',
    'https://ID.example',
    'https://evil.example',
    ['https://id.example'],
    1,
  ];
  for (const iss of issuers) await refuses(await signer.sign({ iss }));
});

it('11 (RFC 8725): refuses JWE where a signed token is expected, in both set-ups', async () => {
  const signer = await createSigner('RS256');
  const { refuses } = await startKeySetDoor([signer]);
  const claims = Buffer.from(JSON.stringify(withDefaults({})));
  const secret = Buffer.from(SECRET.slice(0, 32));
  const direct = await new CompactEncrypt(claims)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: 'JWT' })
    .encrypt(secret);
  const key = await importJWK({ ...signer.jwk, alg: 'RSA-OAEP-256', use: 'enc' });
  const forProvider = await new CompactEncrypt(claims)
    .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: signer.jwk.kid as string })
    .encrypt(key);
  const costly = `${encoded({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2_000_000_000, p2s: 'AAAA' })}.AA.AA.AA.AA`;

  const secretDoor = startSecretDoor();
  for (const token of [direct, forProvider, costly, costly.split('.').slice(0, 3).join('.')]) {
    await refuses(token);
    await secretDoor.refuses(token);
  }
});

it('11 (RFC 8725): refuses extensions, payloads that are not encoded, and headers that are no object', async () => {
  const { refuses, letsIn } = startSecretDoor();
  const claims = withDefaults({});

  await letsIn(hs256({}, { custom: 'ignored' }));
  const headers: object[] = [
    { crit: [] },
    { crit: ['exp'], exp: 1 },
    { crit: ['b64'], b64: true },
    { crit: ['b64'], b64: false },
    { crit: null },
    { b64: false },
    { b64: true },
  ];
  for (const header of headers) await refuses(hs256({}, header));
  const raw = `${encoded({ alg: 'HS256', b64: false, crit: ['b64'] })}.{"sub":"ada"}`;
  await refuses(`${raw}.AAAA`);
  for (const header of [
    '[]',
    '"HS256"',
    'null',
    '1',
    '',
    '{',
    '{"alg":"HS256"}{}',
    '\uFEFF{"alg":"HS256"}',
  ]) {
    await refuses(hmacToken(header, claims, SECRET));
  }
  for (const text of ['[]', '"ada"', 'null', '1', '{', JSON.stringify([claims])]) {
    await refuses(hmacToken({ alg: 'HS256' }, text, SECRET));
  }
});

it('11 (RFC 7519): refuses what is said twice, also when it is written in two ways', async () => {
  const { refuses, letsIn } = startSecretDoor();
  const claims = JSON.stringify(withDefaults({ nested: { sub: 'x', list: [{ sub: 'y' }, { sub: 'z' }] } }));
  const twice = (text: string, more: string) => text.replace(/^\{/, `{${more},`);

  await letsIn(hmacToken({ alg: 'HS256' }, claims, SECRET));
  for (const more of [
    '"sub":"ada"',
    '"sub":"operator"',
    '"sub":"operator","a":{}',
    '"s\\u0075b":"x"',
    '"exp":1',
    '"sub" :"x"',
    '"a":{"b":1,"b":2}',
    '"a":{"}":1,"\\"":"\\\\","}":2}',
  ]) {
    await refuses(hmacToken({ alg: 'HS256' }, twice(claims, more), SECRET));
  }
  await letsIn(hmacToken({ alg: 'HS256' }, twice(claims, '"a":{"sub":1,"iss":{}}'), SECRET));
  await letsIn(hmacToken({ alg: 'HS256' }, twice(claims, '"a":{"}":1,"{":2,"\\\\":":"}'), SECRET));
  for (const header of ['{"alg":"none","alg":"HS256"}', '{"alg":"HS256","\\u0061lg":"HS256"}']) {
    await refuses(hmacToken(header, claims, SECRET));
  }
});

it('11 (RFC 8725): refuses tokens and headers that are too long, whoever signed them', async () => {
  const { refuses, letsIn } = startSecretDoor();

  await letsIn(hs256({ filler: 'x'.repeat(5000) }));
  await refuses(hs256({ filler: 'x'.repeat(7000) }));
  await letsIn(hs256({}, { filler: 'x'.repeat(2000) }));
  await refuses(hs256({}, { filler: 'x'.repeat(4000) }));
});
