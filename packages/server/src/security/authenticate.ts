import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ApiError } from '@llmgine/protocol';
import type { Logger } from 'pino';
import type { APIConfig } from '../config.ts';
import { authMode } from './auth-mode.ts';
import { isBasic } from './basic.ts';
import { createKeyCheck } from './bootstrap-key.ts';
import { isAllowedOrigin, isOriginOf } from './origin.ts';
import { ANYBODY, LOCAL_OPERATOR, OPERATOR, type Principal } from './principal.ts';
import { type ForeignSign, foreignSign } from './same-machine.ts';

export interface Authenticator {
  /**
   * Who sent the request. `credential` is one that came another way than as a bearer or in `X-API-Key`, for example in a
   * WebSocket subprotocol; those win over it. Rejects with `UNAUTHENTICATED`, and with `FORBIDDEN` for pages from
   * elsewhere where nobody needs a credential.
   */
  authenticate(request: IncomingMessage, credential?: string): Promise<Principal>;
  /** Whose credential this is; being on the same machine does not help. Rejects with `UNAUTHENTICATED`. */
  verify(offered: string, request: IncomingMessage): Promise<Principal>;
}

/** Knows one kind of credential. */
export interface CredentialVerifier {
  /**
   * Whose credential this is; null when it is none of this kind, or not valid: which of the two, nobody is told. MUST NOT
   * throw for anything that a caller can send. Rejects when it cannot know, for example because the storage fails.
   */
  verify(offered: string, request: IncomingMessage): Principal | null | Promise<Principal | null>;
}

/** Knows browsers by what they send along by themselves. */
export interface CookieVerifier {
  /**
   * Who the browser is; null when it has no cookie, or one that is not good any more: it is as if there were none. Rejects
   * with `FORBIDDEN` when a page from elsewhere could have sent the request.
   */
  verify(request: IncomingMessage): Promise<Principal | null>;
}

const HINT_INTERVAL_MS = 60_000;
const BEARER = /^Bearer +([^\s]+) *$/i;

/**
 * Who offers a credential is who it says, or nobody. Without one, callers on the same machine are let in where the
 * configuration says so, and the log says, at most once a minute for each reason, why another one was refused and how to
 * let it in. With `auth` `none` everybody is the operator, whatever they offer.
 *
 * @param verifiers Are asked in their order, after the bootstrap key.
 * @param cookies Is asked where no credential is offered.
 */
export function createAuthenticator(
  config: APIConfig,
  logger: Logger,
  verifiers: readonly CredentialVerifier[] = [],
  cookies?: CookieVerifier,
): Authenticator {
  const mode = authMode(config.values);
  if (mode === 'none') return everybody(config);
  const { key } = config.values;
  const all = key === undefined ? verifiers : [bootstrapVerifier(key), ...verifiers];
  const explain = createExplanation(logger);
  const verify = async (offered: string, request: IncomingMessage) => {
    for (const verifier of all) {
      const principal = await verifier.verify(offered, request);
      if (principal) return principal;
    }
    throw new ApiError('UNAUTHENTICATED', 'The credential is not valid');
  };
  return {
    verify,
    async authenticate(request, credential) {
      if (repeatsAuthorization(request)) {
        throw new ApiError('UNAUTHENTICATED', 'There is more than one Authorization header');
      }
      const offered = offeredKey(request.headers) ?? credential;
      // Where there are no credentials at all, there are no wrong ones.
      if (offered !== undefined && (mode === 'required' || all.length > 0)) return verify(offered, request);
      const known = offered === undefined ? await cookies?.verify(request) : undefined;
      if (known) return known;
      if (mode === 'required') throw new ApiError('UNAUTHENTICATED');
      const sign = foreignSign(request);
      if (!sign) return LOCAL_OPERATOR;
      throw explain(request, sign);
    },
  };
}

/** Also a page in the browser of whoever can reach the port could call: it is not everybody, but somebody else's page. */
function everybody(config: APIConfig): Authenticator {
  const anybody = async (request: IncomingMessage) => {
    if (foreignSign(request) === null) return LOCAL_OPERATOR;
    const { origin, host } = request.headers;
    if (origin !== undefined && !isAllowedOrigin(origin, config) && !isOriginOf(host, origin)) {
      throw new ApiError('FORBIDDEN', 'Pages of this origin may not use the API');
    }
    return ANYBODY;
  };
  return { authenticate: anybody, verify: (_offered, request) => anybody(request) };
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
          'To let it in make a key with "llmgine keys create --name NAME", or set LLMGINE_API_KEY to a secret of 16 or ' +
          'more characters, and send it as "Authorization: Bearer KEY".',
      );
    }
    return new ApiError(
      'UNAUTHENTICATED',
      `Without a configured key this server answers callers on its own machine only, and of this request ${sign.text}`,
    );
  };
}

/** Of two, Node shows the first one; a proxy on the way may have looked at the other. */
function repeatsAuthorization({ headers, rawHeaders }: IncomingMessage): boolean {
  if (headers.authorization === undefined) return false;
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'authorization').length > 1;
}

/**
 * An `Authorization` header that is not a bearer credential is an invalid one, not a missing one. HTTP Basic counts for
 * nothing: a browser that a person let into `/docs` sends it along with everything, beside what a page sends by itself.
 */
export function offeredKey(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization !== undefined && !isBasic(authorization)) {
    return BEARER.exec(authorization)?.[1] ?? '';
  }
  const apiKey = headers['x-api-key'];
  return Array.isArray(apiKey) ? apiKey.join(', ') : apiKey;
}
