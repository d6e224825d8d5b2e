import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ApiError } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { APIConfig } from '../config.ts';
import { isBasic } from './basic.ts';
import { createKeyCheck } from './bootstrap-key.ts';
import { LOCAL_OPERATOR, OPERATOR, type Principal } from './principal.ts';
import { type ForeignSign, foreignSign } from './same-machine.ts';

export interface Authenticator {
  /**
   * Who sent the request. `credential` is one that came another way than as a bearer or in `X-API-Key`, for example in a
   * WebSocket subprotocol; those win over it. Rejects with `UNAUTHENTICATED`.
   */
  authenticate(request: IncomingMessage, credential?: string): Promise<Principal>;
}

/** Knows one kind of credential. */
export interface CredentialVerifier {
  /**
   * Whose credential this is; null when it is none of this kind, or not valid: which of the two, nobody is told. MUST NOT
   * throw for anything that a caller can send. Rejects when it cannot know, for example because the storage fails.
   */
  verify(offered: string, request: IncomingMessage): Principal | null | Promise<Principal | null>;
}

const HINT_INTERVAL_MS = 60_000;
const BEARER = /^Bearer +([^\s]+) *$/i;

/**
 * Who offers a credential is who it says, or nobody. Without one, callers on the same machine are let in where no
 * credential is configured, and the log says, at most once a minute for each reason, why another one was refused and how
 * to let it in.
 *
 * @param verifiers Are asked in their order, after the bootstrap key.
 */
export function createAuthenticator(
  config: APIConfig,
  logger: Logger,
  verifiers: readonly CredentialVerifier[] = [],
): Authenticator {
  const { key } = config.values;
  const all = key === undefined ? verifiers : [bootstrapVerifier(key), ...verifiers];
  const allowsLocal = key === undefined;
  const explain = createExplanation(logger);
  return {
    async authenticate(request, credential) {
      const offered = offeredKey(request.headers) ?? credential;
      if (offered === undefined || (allowsLocal && verifiers.length === 0)) {
        if (!allowsLocal) throw new ApiError('UNAUTHENTICATED');
        const sign = foreignSign(request);
        if (!sign) return LOCAL_OPERATOR;
        throw explain(request, sign);
      }
      for (const verifier of all) {
        const principal = await verifier.verify(offered, request);
        if (principal) return principal;
      }
      throw new ApiError('UNAUTHENTICATED', 'The credential is not valid');
    },
  };
}

function bootstrapVerifier(key: string): CredentialVerifier {
  const matches = createKeyCheck(key);
  return { verify: (offered) => (matches(offered) ? OPERATOR : null) };
}

/** What a caller from elsewhere is told, and the operator, in the log. */
function createExplanation(logger: Logger): (request: IncomingMessage, sign: ForeignSign) => ApiError {
  const hints = new Map<ForeignSign['kind'], number>();
  return (request, sign) => {
    const now = performance.now();
    if (now - (hints.get(sign.kind) ?? Number.NEGATIVE_INFINITY) >= HINT_INTERVAL_MS) {
      hints.set(sign.kind, now);
      logger.warn(
        { peer: request.socket.remoteAddress, reason: sign.kind },
        `A caller was refused: no key is configured, and ${sign.text}. ` +
          'To let it in set LLMGINE_API_KEY to a secret of 16 or more characters and send it as "Authorization: Bearer KEY".',
      );
    }
    return new ApiError(
      'UNAUTHENTICATED',
      `Without a configured key this server answers callers on its own machine only, and of this request ${sign.text}`,
    );
  };
}

/**
 * An `Authorization` header that is not a bearer credential is an invalid one, not a missing one. HTTP Basic counts for
 * nothing: a browser that a person let into `/docs` sends it along with everything, beside what a page sends by itself.
 */
function offeredKey(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization !== undefined && !isBasic(authorization)) {
    return BEARER.exec(authorization)?.[1] ?? '';
  }
  const apiKey = headers['x-api-key'];
  return Array.isArray(apiKey) ? apiKey.join(', ') : apiKey;
}
