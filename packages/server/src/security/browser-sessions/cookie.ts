/** The cookie of a browser session, and what is made from it. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A browser takes a cookie of such a name from HTTPS only, for this very host, and lets no other host set it. */
export const COOKIE_NAME = '__Host-llmgine';
export const CSRF_HEADER = 'X-CSRF-Token';
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';
const SECRET_BYTES = 32;
/** 32 bytes as Base64 without padding. */
const SECRET = /^[A-Za-z0-9_-]{43}$/;
const ID_LENGTH = 12;

/** What only the browser knows, and what is known of it elsewhere. */
export interface FreshCookie {
  readonly secret: string;
  readonly digest: Uint8Array;
  readonly id: string;
}

export function makeCookie(): FreshCookie {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const digest = digestOf(secret);
  return { secret, digest, id: idOf(digest) };
}

export function digestOf(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest();
}

/** By which a session is found and named; nobody gets from it to the cookie. */
export function idOf(digest: Uint8Array): string {
  return `browser_${Buffer.from(digest).toString('base64url').slice(0, ID_LENGTH)}`;
}

/**
 * The cookie that a request carries, or null. Of two of one name nobody knows which one was meant: a browser has one.
 */
export function cookieOf({ cookie }: IncomingHttpHeaders): string | null {
  if (cookie === undefined || !cookie.includes(COOKIE_NAME)) return null;
  const prefix = `${COOKIE_NAME}=`;
  const values = cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix))
    .map((pair) => pair.slice(prefix.length));
  const [value] = values;
  return values.length === 1 && value !== undefined && SECRET.test(value) ? value : null;
}

/** The text of a `Set-Cookie` header. */
export function setCookie(secret: string, maxAgeMs: number): string {
  return `${COOKIE_NAME}=${secret}; ${ATTRIBUTES}; Max-Age=${Math.max(0, Math.floor(maxAgeMs / 1000))}`;
}

/** A `Set-Cookie` header that takes the cookie away. */
export const CLEAR_COOKIE = `${COOKIE_NAME}=; ${ATTRIBUTES}; Max-Age=0`;

/**
 * What a page repeats in a header, to show that it is no other one. It is made from the cookie, so there is nothing to
 * keep; from what is kept of the cookie nobody can make it.
 */
export function csrfTokenOf(secret: string): string {
  return derive(secret, 'csrf').toString('base64url');
}

export function isCsrfToken(secret: string, offered: string | string[] | undefined): boolean {
  const expected = createHash('sha256').update(csrfTokenOf(secret)).digest();
  const given = createHash('sha256')
    .update(String(offered ?? ''))
    .digest();
  return timingSafeEqual(expected, given);
}

/** Shows to whoever has the cookie that it was made where the text was the same; to nobody else it tells anything. */
export function proofOf(secret: string, text: string): Uint8Array {
  return derive(secret, `proof\n${text}`);
}

function derive(secret: string, use: string): Buffer {
  return createHmac('sha256', secret).update(use).digest();
}
