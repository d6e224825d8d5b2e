/** Tokens for tests: right ones, made with `jose`, and such as no library would make. */
import { createHmac } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose';

export interface Signer {
  /** The public half, as a provider publishes it. */
  readonly jwk: JWK;
  /** The public half as PEM. */
  readonly pem: string;
  /** A token that is good for five minutes, with these claims besides; `undefined` takes one away. */
  sign(claims?: object, header?: object): Promise<string>;
}

export async function createSigner(alg = 'ES256', kid = `key-${alg}`): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    pem: await exportSPKI(publicKey),
    sign: (claims = {}, header = {}) =>
      new SignJWT(withDefaults(claims))
        .setProtectedHeader({ alg, kid, ...header } as JWTHeaderParameters)
        .sign(privateKey),
  };
}

/** What all tokens of these tests say unless they say something else. */
export function withDefaults(claims: object): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: 'https://id.example',
    aud: 'llmgine',
    sub: 'ada',
    iat: now,
    exp: now + 300,
    ...claims,
  };
}

/** A part of a token: objects as JSON, texts as they are. */
export function encoded(part: object | string): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** Whatever header and claims, signed with a secret. */
export function hmacToken(header: object | string, claims: object | string, secret: string): string {
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}
