/** Tokens whose signature, algorithm or key is no good. `tests/e2e/jwt.test.ts` offers some of them at the door of a server. */
import { generateKeyPairSync, sign } from 'node:crypto';
import type { JWK } from 'jose';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startKeySetServer } from '../../../../tests/helpers/key-set-server.ts';
import { createSigner, encoded, type Signer, withDefaults } from '../../../../tests/helpers/tokens.ts';
import { hs256, SECRET, startKeySetDoor, startSecretDoor } from './jwt-door.ts';

it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'])(
  'lets in tokens that are signed with %s by a key of the provider',
  async (alg) => {
    const signer = await createSigner(alg);
    const { letsIn, provider } = await startKeySetDoor([signer]);

    await letsIn(await signer.sign({}, { typ: 'JWT' }));
    await letsIn(await signer.sign({}, { typ: 'at+jwt' }));
    await letsIn(await signer.sign({}, { typ: 'application/AT+JWT' }));
    await letsIn(await signer.sign({ aud: ['another', 'llmgine'] }));

    expect(provider.requests).toHaveLength(1);
  },
);

it('lets in tokens that are signed with the secret, and nobody without a right one', async () => {
  const { letsIn, refuses } = startSecretDoor();

  await letsIn(hs256());
  await refuses(hs256({}, {}, `${SECRET}x`));
  await refuses('anything');
});

it('7 (ASVS 9.1.1): refuses a token of which any bit was flipped, or which has no signature', async () => {
  const signer = await createSigner();
  const { refuses } = await startKeySetDoor([signer]);
  const token = await signer.sign();
  const [header = '', claims = '', signature = ''] = token.split('.');

  const flipped = (part: string, index: number, bit: number) => {
    const bytes = Buffer.from(part, 'base64url');
    bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
    return bytes.toString('base64url');
  };
  for (let bit = 0; bit < 8; bit++) {
    for (const index of [0, 31, 32, 63]) {
      await refuses(`${header}.${claims}.${flipped(signature, index, bit)}`);
    }
    await refuses(`${header}.${flipped(claims, 20, bit)}.${signature}`);
    await refuses(`${flipped(header, 3, bit)}.${claims}.${signature}`);
  }
  const others = [
    `${header}.${claims}.`,
    `${header}.${claims}`,
    `${header}..${signature}`,
    `.${claims}.${signature}`,
    `${header}.${claims}.${'A'.repeat(86)}`,
    `${header}.${claims}.${signature}${signature}`,
    `${header}.${claims}.${signature.slice(0, -4)}`,
    `${token}.`,
    `${token}=`,
    `.${token}`,
    '..',
    '...',
  ];
  for (const other of others) await refuses(other);
});

it('7 (ASVS 9.1.1): refuses the same signature written in another way', async () => {
  const signer = await createSigner();
  const { refuses } = await startKeySetDoor([signer]);
  const token = await signer.sign();
  // 64 bytes are 86 characters, of whose last one only two bits count.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(token.at(-1) ?? '');
  const twin = token.slice(0, -1) + alphabet[last | 1];
  expect(twin).not.toBe(token);
  expect(Buffer.from(twin.split('.')[2] ?? '', 'base64url')).toEqual(
    Buffer.from(token.split('.')[2] ?? '', 'base64url'),
  );

  await refuses(twin);
  await refuses(token.replace(/\.(?=[^.]*$)/, '.='));
  await refuses(token.replaceAll('-', '+').replaceAll('_', '/').concat('=='));
});

/** All ways to write a word in upper and lower case. */
function casings(word: string): string[] {
  return [...word].reduce<string[]>(
    (words, letter) => words.flatMap((start) => [start + letter.toLowerCase(), start + letter.toUpperCase()]),
    [''],
  );
}

it('8 (ASVS 9.1.2): refuses "none" in all casings, with whatever in place of a signature', async () => {
  const signer = await createSigner();
  const { refuses } = await startKeySetDoor([signer]);
  const claims = encoded(withDefaults({}));
  const signature = (await signer.sign()).split('.')[2] ?? '';

  for (const alg of [...casings('none'), ' none', 'none ', 'n\u0000one', '']) {
    for (const end of ['', 'AA', signature]) {
      await refuses(`${encoded({ alg, kid: signer.jwk.kid })}.${claims}.${end}`);
    }
  }
});

it('8 (ASVS 9.1.2): refuses HS256 that is signed with the public key of the provider, however it is written', async () => {
  const signer = await createSigner('RS256');
  const { refuses } = await startKeySetDoor([signer]);
  const { pem, jwk } = signer;

  const secrets = [pem, pem.trim(), `${pem}\n`, JSON.stringify(jwk), jwk.n ?? '', jwk.kid ?? '', ''];
  for (const secret of secrets) {
    for (const alg of ['HS256', 'hs256', 'HS384', 'HS512']) {
      for (const kid of [jwk.kid, undefined]) await refuses(hs256({}, { alg, kid }, secret));
    }
  }
});

it('8 (ASVS 9.1.2): refuses HS256 also where the key set holds that very secret', async () => {
  const k = Buffer.from(SECRET).toString('base64url');
  const signer = await createSigner();
  const { refuses } = await startKeySetDoor([signer], [{ kty: 'oct', k, kid: 'shared', alg: 'HS256' }]);

  await refuses(hs256({}, { kid: 'shared' }));
});

it('8 (ASVS 9.1.2): refuses what is signed well, but with an algorithm that is not on the list', async () => {
  const algorithms = ['RS384', 'RS512', 'PS384', 'PS512', 'ES512'];
  const [listed, ...signers] = await Promise.all(['ES256', ...algorithms].map((alg) => createSigner(alg)));
  const { refuses } = await startKeySetDoor([listed as Signer, ...signers]);

  for (const signer of signers) await refuses(await signer.sign());
});

it('8 (ASVS 9.1.2): refuses a key of the provider under the name of another algorithm', async () => {
  const signer = await createSigner('RS256', 'one');
  const { refuses } = await startKeySetDoor([signer]);
  const [, claims, signature] = (await signer.sign()).split('.');

  for (const alg of [
    'PS256',
    'ES256',
    'ES384',
    'EdDSA',
    'Ed25519',
    'rs256',
    'RS1',
    '__proto__',
    'constructor',
  ]) {
    await refuses(`${encoded({ alg, kid: 'one' })}.${claims}.${signature}`);
  }
  for (const alg of [null, 1, true, ['RS256'], { RS256: 1 }]) {
    await refuses(`${encoded({ alg, kid: 'one' })}.${claims}.${signature}`);
  }
});

it('8 (ASVS 9.1.2): refuses everything but HS256 where a secret is configured', async () => {
  const { refuses } = startSecretDoor();

  for (const alg of ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519']) {
    await refuses(await (await createSigner(alg)).sign());
    await refuses(hs256({}, { alg }));
  }
  for (const alg of ['HS384', 'HS512', 'hs256', 'none', 'dir']) await refuses(hs256({}, { alg }));
});

it('8 (ASVS 9.1.2): refuses keys that are too weak', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const jwk = { ...(publicKey.export({ format: 'jwk' }) as JWK), kid: 'weak' };
  const input = `${encoded({ alg: 'RS256', kid: 'weak' })}.${encoded(withDefaults({}))}`;
  const signature = sign('sha256', Buffer.from(input), privateKey).toString('base64url');
  const { refuses } = await startKeySetDoor([await createSigner()], [jwk]);

  await refuses(`${input}.${signature}`);
});

it('9 (ASVS 9.1.3): never fetches or uses a key that the token brings along', async () => {
  const signer = await createSigner();
  const attacker = await createSigner('ES256', 'attacker');
  const sink = await startKeySetServer(attacker.jwk);
  const { refuses, letsIn } = await startKeySetDoor([signer]);
  const x5c = [Buffer.from('a certificate').toString('base64')];
  const brought: object[] = [
    { jku: sink.url },
    { x5u: sink.url },
    { jwk: attacker.jwk },
    { x5c },
    { jku: sink.url, x5u: sink.url, jwk: attacker.jwk, x5c },
  ];

  for (const header of brought) {
    for (const kid of [signer.jwk.kid, undefined]) await refuses(await attacker.sign({}, { ...header, kid }));
    await letsIn(await signer.sign({}, header));
  }
  await refuses(await attacker.sign({ jku: sink.url, iss: sink.url.replace('/keys', '') }));

  expect(sink.requests).toEqual([]);
});

const BAD_KEY_IDS: [string, unknown][] = [
  ['a path', '../../../../../../etc/passwd'],
  ['an absolute path', '/usr/share/dict/words'],
  ['the empty device', '/dev/null'],
  ['a path of Windows', '..\\..\\windows\\win.ini'],
  ['SQL', "x' UNION SELECT 'secret' --"],
  ['a command', '| cat /etc/passwd'],
  ['an address', 'http://127.0.0.1/keys'],
  ['10 KB', 'k'.repeat(10_240)],
  ['2 KB', 'k'.repeat(2048)],
  ['nothing', ''],
  ['a line break', 'key-ES256\n'],
  ['a null byte', 'key-ES256\0'],
  ['a number', 1],
  ['null', null],
  ['a list', ['key-ES256']],
  ['an object', { toString: 'key-ES256' }],
  ['letters that look alike', 'kеy-ES256'],
];

it.each(BAD_KEY_IDS)(
  '9 (ASVS 9.1.3): refuses %s as the id of a key without a look-up',
  async (_what, kid) => {
    const signer = await createSigner();
    const { provider, letsIn, refuses } = await startKeySetDoor([signer]);
    // From here on, a key that is not known would be asked for.
    const later = performance.now() + 60_000;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
    onTestFinished(() => clock.mockRestore());

    await refuses(await signer.sign({}, { kid }));

    await expect(refuses(await signer.sign({}, { kid: 'one-that-could-be-new' }))).rejects.toThrow('length');
    expect(provider.requests).toHaveLength(2);
    await letsIn(await signer.sign());
  },
);
