import { ConfigError, type ConfigValues } from '../config.ts';

export type AuthMode = NonNullable<ConfigValues['auth']>;
type AuthValues = Pick<ConfigValues, 'auth' | 'key' | 'jwtSecret' | 'jwtJwksUrl' | 'host'>;

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i;

/** Who needs a credential. */
export function authMode(values: AuthValues): AuthMode {
  return values.auth ?? (hasCredential(values) ? 'required' : 'local');
}

function hasCredential({ key, jwtSecret, jwtJwksUrl }: AuthValues): boolean {
  return key !== undefined || jwtSecret !== undefined || jwtJwksUrl !== undefined;
}

/**
 * Throws `ConfigError` when everybody needs a credential and nobody has one. `hasOthers`: whether there are some besides
 * those of the configuration.
 */
export async function assertSomebodyMayEnter(
  values: AuthValues,
  hasOthers: () => Promise<boolean>,
): Promise<void> {
  if (authMode(values) !== 'required' || hasCredential(values) || (await hasOthers())) return;
  throw new ConfigError(
    'LLMGINE_API_AUTH is "required", but there is no credential that is in use: make a key with ' +
      '"llmgine keys create --name NAME --role admin", or set LLMGINE_API_KEY or LLMGINE_API_JWT_SECRET',
  );
}

/** What people should know of it at a start. */
export function authWarnings(values: AuthValues): readonly string[] {
  if (authMode(values) !== 'none') return [];
  const warning = LOOPBACK_HOST.test(values.host)
    ? 'LLMGINE_API_AUTH is "none": everybody who reaches this port is the operator, also through a proxy'
    : `LLMGINE_API_AUTH is "none" and the server listens on ${values.host}: EVERYBODY who reaches it over the network is ` +
      'the operator and can read, change and delete everything. Set it to "required" unless that is meant';
  return [warning];
}

/** Who is let in, and how to change that, for the banner. */
export function describeAuth(values: AuthValues): string {
  switch (authMode(values)) {
    case 'none':
      return LOOPBACK_HOST.test(values.host)
        ? 'EVERYBODY, without a credential (LLMGINE_API_AUTH=none)'
        : `EVERYBODY ON THE NETWORK, without a credential (LLMGINE_API_AUTH=none on ${values.host})`;
    case 'local':
      return hasCredential(values)
        ? 'callers on this machine, and others with a key or token'
        : 'callers on this machine; others, and behind any proxy, with a key: llmgine keys create --name NAME';
    case 'required':
      return values.key === undefined
        ? 'every caller needs a key or token'
        : 'every caller needs the key in LLMGINE_API_KEY';
  }
}
