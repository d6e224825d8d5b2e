import { createHash } from 'node:crypto';
import { canonicalJson } from '../sessions/canonical-json.ts';

/** A digest of what a client asked for, the same for the same JSON whatever the order of its keys. */
export function bodyHash(command: string, parameters: unknown): string {
  return createHash('sha256')
    .update(canonicalJson([command, parameters]))
    .digest('base64url');
}
