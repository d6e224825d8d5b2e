/** A verifier that an application would make, seen from outside: it lets tokens in, or refuses them. */
import type { JWK } from 'jose';
import { expect } from 'vitest';
import { type KeySetServer, startKeySetServer } from '../../../../tests/helpers/key-set-server.ts';
import { hmacToken, type Signer, withDefaults } from '../../../../tests/helpers/tokens.ts';
import type { ConfigInput } from '../../src/config.ts';
import { startJwt } from './start-jwt.ts';

export const SECRET = 'a-secret-of-the-provider-with-40-letters';
export const EXPECTED = { jwtIssuer: 'https://id.example', jwtAudience: 'llmgine' };

export interface Door {
  refuses(token: string, why?: string): Promise<void>;
  letsIn(token: string): Promise<void>;
}

export function startDoor(config: Partial<ConfigInput>): Door {
  const { verifier } = startJwt(config);
  return {
    letsIn: async (token) => expect(await verifier.verify(token)).toMatchObject({ id: 'jwt:ada' }),
    refuses: async (token, why) => expect(await verifier.verify(token), why).toBeNull(),
  };
}

/** The keys are there from the beginning, and expected to be enough: refusing asks the provider for nothing. */
export async function startKeySetDoor(
  signers: readonly Signer[],
  more: readonly JWK[] = [],
): Promise<Door & { readonly provider: KeySetServer }> {
  const provider = await startKeySetServer(...signers.map(({ jwk }) => jwk), ...more);
  const door = startDoor({ ...EXPECTED, jwtJwksUrl: provider.url });
  for (const signer of signers.slice(0, 1)) await door.letsIn(await signer.sign());
  const refuses = async (token: string) => {
    await door.refuses(token);
    expect(provider.requests).toHaveLength(1);
  };
  return { ...door, refuses, provider };
}

export const startSecretDoor = () => startDoor({ ...EXPECTED, jwtSecret: SECRET });

/** A token as the secret door expects it, but for these. */
export const hs256 = (claims: object = {}, header: object = {}, secret = SECRET) =>
  hmacToken({ alg: 'HS256', ...header }, withDefaults(claims), secret);
