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
   * WebSocket subprotocol; those win over it. Throws `UNAUTHENTICATED`.
   */
  authenticate(request: IncomingMessage, credential?: string): Principal;
}

const HINT_INTERVAL_MS = 60_000;
const BEARER = /^Bearer +([^\s]+) *$/i;

/**
 * With a key configured every caller needs it. Without one only callers on the same machine are let in, and the log
 * says, at most once a minute for each reason, why one was refused and how to let others in.
 */
export function createAuthenticator(config: APIConfig, logger: Logger): Authenticator {
  const { key } = config.values;
  if (key !== undefined) {
    const matches = createKeyCheck(key);
    return {
      authenticate(request, credential) {
        const offered = offeredKey(request.headers) ?? credential;
        if (offered === undefined) throw new ApiError('UNAUTHENTICATED');
        if (!matches(offered)) throw new ApiError('UNAUTHENTICATED', 'The credential is not valid');
        return OPERATOR;
      },
    };
  }

  const hints = new Map<ForeignSign['kind'], number>();
  return {
    authenticate(request) {
      const sign = foreignSign(request);
      if (!sign) return LOCAL_OPERATOR;
      const now = performance.now();
      if (now - (hints.get(sign.kind) ?? Number.NEGATIVE_INFINITY) >= HINT_INTERVAL_MS) {
        hints.set(sign.kind, now);
        logger.warn(
          { peer: request.socket.remoteAddress, reason: sign.kind },
          `A caller was refused: no key is configured, and ${sign.text}. ` +
            'To let it in set LLMGINE_API_KEY to a secret of 16 or more characters and send it as "Authorization: Bearer KEY".',
        );
      }
      throw new ApiError(
        'UNAUTHENTICATED',
        `Without a configured key this server answers callers on its own machine only, and of this request ${sign.text}`,
      );
    },
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
