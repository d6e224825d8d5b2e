import type { APIConfig } from '../config.ts';
import { isLocalHost, isLocalOrigin } from './local-origin.ts';

/**
 * Whether pages of this origin may use the API: local ones on any port, so that a front end on a development server
 * works, and the configured ones, compared exactly. `null`, prefixes and suffixes are neither.
 */
export function isAllowedOrigin(origin: string, config: APIConfig): boolean {
  return isLocalOrigin(origin) || config.values.corsOrigins.includes(origin);
}

/**
 * Whether a page of this origin was served under the same name as the request came to. Elsewhere than on this machine
 * it has to come by HTTPS: everything else anybody on the way can have written.
 */
export function isOwnOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = host.toLowerCase();
  return origin === `https://${name}` || (origin === `http://${name}` && isLocalHost(name));
}

/** Whether the page comes from the very name that it calls by. */
export function isOriginOf(host: string | undefined, origin: string): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}
