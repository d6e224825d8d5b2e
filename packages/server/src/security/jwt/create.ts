/** What the settings make of tokens. */
import type { Logger } from 'pino';
import type { APIConfig } from '../../config.ts';
import { isLocalHost } from '../local-origin.ts';
import { fetchKeys } from './fetch-keys.ts';
import { KeySet } from './key-set.ts';
import { JwtVerifier, type JwtVerifierOptions } from './verifier.ts';

const SECRET_ALGORITHMS = ['HS256'] as const;
/** `Ed25519` is what RFC 9864 calls `EdDSA`. */
const KEY_SET_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const;

export interface Jwt {
  readonly verifier: JwtVerifier;
  /** Ends a fetch of keys that is on its way. */
  close(): void;
}

/**
 * Null when no tokens are configured. Warns of settings that let in more than people may think. Throws `ConfigError` when
 * they contradict each other.
 */
export function createJwt(
  config: APIConfig,
  logger: Logger,
  report: (stage: string, error: unknown) => void,
): Jwt | null {
  const { values } = config;
  const { jwtSecret, jwtJwksUrl } = values;
  if (jwtSecret !== undefined && jwtJwksUrl !== undefined) {
    throw config.refuse(
      'jwtJwksUrl',
      'LLMGINE_API_JWT_SECRET is set, too: tokens are of one kind or the other',
    );
  }
  for (const warning of warnings(config)) logger.warn(warning);
  const common = {
    issuer: values.jwtIssuer,
    audience: values.jwtAudience,
    leeway: values.jwtLeeway,
    claims: { tenant: values.jwtTenantClaim, role: values.jwtRoleClaim },
    logger,
  };
  if (jwtSecret !== undefined) {
    const verifier = new JwtVerifier({
      ...common,
      algorithms: SECRET_ALGORITHMS,
      findKey: secretKey(jwtSecret),
    });
    return { verifier, close: () => {} };
  }
  if (jwtJwksUrl === undefined) return null;

  const url = readUrl(config, jwtJwksUrl);
  const closing = new AbortController();
  const keys = new KeySet({
    fetch: () => fetchKeys(url, closing.signal),
    onError: (error) => {
      if (!closing.signal.aborted) report('fetching the keys of tokens', error);
    },
  });
  // So that the first caller need not wait, and the log says early what is wrong.
  void keys.prepare();
  const verifier = new JwtVerifier({
    ...common,
    algorithms: KEY_SET_ALGORITHMS,
    findKey: (header) => keys.find(header),
  });
  return { verifier, close: () => closing.abort() };
}

function secretKey(secret: string): JwtVerifierOptions['findKey'] {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = crypto.subtle.importKey('raw', new TextEncoder().encode(secret), algorithm, false, ['verify']);
  return () => key;
}

function readUrl(config: APIConfig, text: string): string {
  const url = URL.parse(text);
  if (!url) throw config.refuse('jwtJwksUrl', 'must be a URL');
  if (url.username !== '' || url.password !== '') {
    throw config.refuse('jwtJwksUrl', 'must hold no credentials: key sets are public');
  }
  return url.href;
}

function warnings({ values }: APIConfig): string[] {
  const { jwtSecret, jwtJwksUrl, jwtIssuer, jwtAudience } = values;
  const found: string[] = [];
  if (jwtSecret === undefined && jwtJwksUrl === undefined) {
    if (jwtIssuer !== undefined || jwtAudience !== undefined) {
      found.push(
        'LLMGINE_API_JWT_ISSUER and LLMGINE_API_JWT_AUDIENCE have no effect without LLMGINE_API_JWT_SECRET or LLMGINE_API_JWT_JWKS_URL',
      );
    }
    return found;
  }
  if (jwtAudience === undefined && (jwtIssuer === undefined || jwtJwksUrl !== undefined)) {
    found.push(
      'LLMGINE_API_JWT_AUDIENCE is not set: tokens that were made for other services with the same keys are let in here, too, and as admins of this server where they say that they are admins',
    );
  }
  const url = jwtJwksUrl === undefined ? null : URL.parse(jwtJwksUrl);
  if (url?.protocol === 'http:' && !isLocalHost(url.host)) {
    found.push(
      'LLMGINE_API_JWT_JWKS_URL is not https: whoever can change what is on its way can let in anybody as anybody',
    );
  }
  return found;
}
