/** What is wrong with the outside of a token: found before a key is looked for, so that it costs next to nothing. */
import { namesAreUnique } from './unique-names.ts';

/** Characters. What is longer does not fit into the headers of a request anyway, with the rest of them. */
const MAX_TOKEN = 8192;
/** Characters of the encoded header. Some providers put their certificates there. */
const MAX_HEADER = 4096;
const TYPES: ReadonlySet<unknown> = new Set([
  undefined,
  'jwt',
  'at+jwt',
  'application/jwt',
  'application/at+jwt',
]);
/**
 * Names of keys. They are only compared with those in memory, but an unknown one can make the server ask the provider for
 * new keys. A slash is for padded base64 only, so no path gets that far.
 */
const KEY_ID = /^(?:[\w.~:@+=-]{1,200}|[\w+/-]{20,200}={1,2})$/;

/**
 * In a word, for the log; null: nothing. A good token is a JWS in its compact form whose parts are base64url as an encoder
 * writes it, so no bit of it can be changed without changing what it says.
 */
export function tokenFault(token: string, algorithms: readonly string[]): string | null {
  if (token.length > MAX_TOKEN) return 'size';
  // JWE has five parts.
  const parts = token.split('.', 4);
  if (parts.length !== 3 || !parts.every(isBase64url)) return 'form';
  const header = readHeader(parts[0] as string);
  if (!header) return 'header';
  if (!algorithms.includes(header.alg as string)) return 'alg';
  if (!TYPES.has(typeof header.typ === 'string' ? header.typ.toLowerCase() : header.typ)) return 'typ';
  // Extensions: none is known here, and `b64` would mean that the payload is not encoded.
  if ('crit' in header || 'b64' in header) return 'crit';
  const { kid } = header;
  if (kid !== undefined && !(typeof kid === 'string' && KEY_ID.test(kid))) return 'kid';
  return null;
}

function isBase64url(part: string): boolean {
  return part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part;
}

function readHeader(encoded: string): Readonly<Record<string, unknown>> | null {
  if (encoded.length > MAX_HEADER) return null;
  const json = Buffer.from(encoded, 'base64url').toString('utf8');
  try {
    const header: unknown = JSON.parse(json);
    if (typeof header !== 'object' || header === null || Array.isArray(header)) return null;
    return namesAreUnique(json) ? (header as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
