/** What a principal may do: each route and each message type asks for one permission. */
import { ApiError, PERMISSIONS, type Permission, type Role } from '@llmgine/protocol';

import type { Principal } from './principal.ts';

export { PERMISSIONS, type Permission, ROLES, type Role } from '@llmgine/protocol';

/** What is added to the server asks for it where it names nothing: nobody knows what it does. */
export const CUSTOM_PERMISSION: Permission = 'sessions:write';

export function isPermission(value: unknown): value is Permission {
  return (PERMISSIONS as readonly unknown[]).includes(value);
}

const OF_VIEWERS: readonly Permission[] = ['info:read', 'sessions:read'];
const OF_ROLES: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  admin: new Set(PERMISSIONS),
  user: new Set([...OF_VIEWERS, 'sessions:write', 'runs:write', 'requests:answer']),
  viewer: new Set(OF_VIEWERS),
};

/** What the role allows, and the scopes of the credential, where it has any, do not take away. */
export function may({ role, scopes }: Pick<Principal, 'role' | 'scopes'>, permission: Permission): boolean {
  return OF_ROLES[role].has(permission) && (scopes === null || scopes.includes(permission));
}

/** Throws `FORBIDDEN`. */
export function demand(principal: Pick<Principal, 'role' | 'scopes'>, permission: Permission): void {
  if (may(principal, permission)) return;
  throw new ApiError('FORBIDDEN', `This needs the permission "${permission}"`);
}
