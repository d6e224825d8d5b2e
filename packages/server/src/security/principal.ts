/** Who is calling. Everything a principal makes belongs to it. */
export interface Principal {
  readonly id: string;
  readonly tenantId: string;
  readonly role: 'admin' | 'user' | 'viewer';
  /** True for a caller on the same machine that was let in without a credential. */
  readonly local: boolean;
}

/**
 * The one principal of a server without accounts. The same-machine caller and the holder of the bootstrap key are the
 * same person, so adding a key to a laptop's server does not hide the sessions made before.
 */
export const OPERATOR: Principal = Object.freeze({
  id: 'operator',
  tenantId: 'default',
  role: 'admin',
  local: false,
});
export const LOCAL_OPERATOR: Principal = Object.freeze({ ...OPERATOR, local: true });
