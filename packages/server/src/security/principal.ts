import type { Permission, Role } from './permissions.ts';

/** Who is calling. Everything a principal makes belongs to it. */
export interface Principal {
  readonly id: string;
  readonly tenantId: string;
  readonly role: Role;
  /** What the credential is limited to; null: to nothing less than the role. */
  readonly scopes: readonly Permission[] | null;
  /** True for a caller on the same machine that was let in without a credential. */
  readonly local: boolean;
  readonly credential: Credential;
}

/** What the caller has shown. It holds nothing secret. */
export interface Credential {
  readonly kind: 'none' | 'bootstrap' | 'key' | 'jwt' | 'session' | 'ticket' | 'custom';
  /** What can be revoked, for example the id of a key; null where there is none. */
  readonly id: string | null;
  /** Milliseconds since the Unix epoch; null: never. */
  readonly expiresAt: number | null;
  /** Of the session of a browser: what it was begun with. */
  readonly begunWith?: Omit<Credential, 'begunWith'>;
}

/**
 * The one principal of a server without accounts. The same-machine caller and the holder of the bootstrap key are the
 * same person, so adding a key to a laptop's server does not hide the sessions made before.
 */
export const OPERATOR: Principal = Object.freeze({
  id: 'operator',
  tenantId: 'default',
  role: 'admin',
  scopes: null,
  local: false,
  credential: Object.freeze({ kind: 'bootstrap', id: null, expiresAt: null }),
});
export const LOCAL_OPERATOR: Principal = Object.freeze({
  ...OPERATOR,
  local: true,
  credential: Object.freeze({ kind: 'none', id: null, expiresAt: null }),
});

/** Whether what belongs to this owner is the operator's. */
export function isOperator({
  tenantId,
  ownerId,
}: {
  readonly tenantId: string;
  readonly ownerId: string;
}): boolean {
  return tenantId === OPERATOR.tenantId && ownerId === OPERATOR.id;
}
/** Whoever it is, where nobody needs a credential. */
export const ANYBODY: Principal = Object.freeze({ ...LOCAL_OPERATOR, local: false });
