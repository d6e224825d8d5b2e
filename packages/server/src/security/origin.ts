import type { APIConfig } from '../config.ts';
import { isLocalOrigin } from './local-origin.ts';

/**
 * Whether pages of this origin may use the API: local ones on any port, so that a front end on a development server
 * works, and the configured ones, compared exactly. `null`, prefixes and suffixes are neither.
 */
export function isAllowedOrigin(origin: string, config: APIConfig): boolean {
  return isLocalOrigin(origin) || config.values.corsOrigins.includes(origin);
}
