import type { IncomingHttpHeaders } from 'node:http';

const BASIC = /^Basic +([A-Za-z0-9+/]+=*) *$/i;

/** Whether the `Authorization` header is HTTP Basic (RFC 7617). */
export function isBasic(authorization: string): boolean {
  return /^Basic(?: |$)/i.test(authorization);
}

/** The password of HTTP Basic credentials, whoever the user is. */
export function basicPassword({ authorization }: IncomingHttpHeaders): string | undefined {
  const encoded = BASIC.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const credentials = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = credentials.indexOf(':');
  return colon === -1 ? undefined : credentials.slice(colon + 1);
}
