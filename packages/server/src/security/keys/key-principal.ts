import type { KeyRow } from '../../storage/keys.ts';
import { isPermission, ROLES } from '../permissions.ts';
import type { Principal } from '../principal.ts';

/** Whether the key opens anything at this time. */
export function isInUse({ revokedAt, expiresAt }: KeyRow, now: number): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt > now);
}

/** What the key allows; null for a role that this version does not know. */
export function rightsOf({
  role,
  scopes,
}: Pick<KeyRow, 'role' | 'scopes'>): Pick<Principal, 'role' | 'scopes'> | null {
  const known = ROLES.find((name) => name === role);
  return known === undefined ? null : { role: known, scopes: scopes?.filter(isPermission) ?? null };
}

/** Whose key it is; null when it allows nothing that this version knows. */
export function toPrincipal(row: KeyRow): Principal | null {
  const rights = rightsOf(row);
  return (
    rights && {
      id: row.principalId,
      tenantId: row.tenantId,
      ...rights,
      local: false,
      credential: { kind: 'key', id: row.keyId, expiresAt: row.expiresAt },
    }
  );
}
