import { ApiError } from '@llmgine/protocol';
import { type CryptoKey, errors, type JWSHeaderParameters, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import type { CredentialVerifier } from '../authenticate.ts';
import type { Principal } from '../principal.ts';
import { type ClaimNames, principalOf } from './claims.ts';
import { tokenFault } from './token-fault.ts';
import { namesAreUnique } from './unique-names.ts';

export interface JwtVerifierOptions {
  /** MUST be of one family: a public key must never be taken for a secret. */
  readonly algorithms: readonly string[];
  /** The key that a token with this header is to be checked with. MUST NOT look at anything but `alg` and `kid`. */
  readonly findKey: (header: JWSHeaderParameters) => Promise<CryptoKey>;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** Seconds. */
  readonly leeway: number;
  readonly claims: ClaimNames;
  readonly logger: Logger;
}

/** JSON Web Tokens that are signed (RFC 7519, with the advice of RFC 8725). Why one was refused is in the debug log. */
export class JwtVerifier implements CredentialVerifier {
  readonly #options: JwtVerifierOptions;
  readonly #checks: JWTVerifyOptions;

  constructor(options: JwtVerifierOptions) {
    const { algorithms, issuer, audience, leeway } = options;
    this.#options = options;
    this.#checks = {
      algorithms: [...algorithms],
      clockTolerance: leeway,
      requiredClaims: ['exp', 'sub'],
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
    };
  }

  async verify(offered: string): Promise<Principal | null> {
    const { algorithms, findKey, claims, leeway } = this.#options;
    const fault = tokenFault(offered, algorithms);
    if (fault !== null) return this.#refused(fault);
    try {
      const { payload } = await jwtVerify(offered, findKey, this.#checks);
      if (!namesAreUnique(payloadText(offered))) return this.#refused('a claim that is there twice');
      return principalOf(payload, claims, leeway) ?? this.#refused('claims that name nobody');
    } catch (error) {
      if (error instanceof ApiError) throw error;
      return this.#refused(reasonOf(error));
    }
  }

  #refused(reason: string): null {
    // Anything else than a token has no form either, a mistyped key for example.
    if (reason !== 'form') this.#options.logger.debug({ reason }, 'a token was refused');
    return null;
  }
}

function payloadText(token: string): string {
  return Buffer.from(token.split('.', 2)[1] as string, 'base64url').toString('utf8');
}

/** Nothing of what the caller sent. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired) {
    return `${error.claim}: ${error.reason}`;
  }
  return error instanceof errors.JOSEError ? error.code : String(error);
}
