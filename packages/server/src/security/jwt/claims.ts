/** Who the claims of a verified token speak of. */
import type { JWTPayload } from 'jose';
import { LAST_MOMENT } from '../last-moment.ts';
import { PERMISSIONS, type Permission, ROLES, type Role } from '../permissions.ts';
import type { Principal } from '../principal.ts';

export interface ClaimNames {
  /** The name of a claim, or the way to a nested one with dots. */
  readonly tenant: string;
  readonly role: string;
}

/** Ids of principals from tokens begin so: no subject can be the operator or the principal of a key. */
const PREFIX = 'jwt:';
const MAX_ID = 255;
const MAX_TENANT = 128;
const PRINTABLE = /^[\x21-\x7e]+$/;
/** Seconds: what a `Date` can hold. */
const MAX_TIME = 8_640_000_000_000;
/** They say what an ID token tells about a person, and nothing about what a caller may do. */
const OPENID_SCOPES: readonly unknown[] = [
  'openid',
  'profile',
  'email',
  'address',
  'phone',
  'offline_access',
];

/** Null for claims that name nobody, or that say something that is not understood where it decides who the caller is. */
export function principalOf(claims: JWTPayload, names: ClaimNames, leeway: number): Principal | null {
  const { sub, jti, exp } = claims;
  const tenant = claimAt(claims, names.tenant);
  const tenantId = tenant === undefined ? 'default' : tenant;
  if (!isName(sub, MAX_ID) || !isName(tenantId, MAX_TENANT)) return null;
  if (jti !== undefined && !isName(jti, MAX_ID)) return null;
  if (exp === undefined || exp > MAX_TIME) return null;
  const expiresAt = Math.min(Math.floor((exp + leeway) * 1000), LAST_MOMENT);
  return {
    id: PREFIX + sub,
    tenantId,
    role: roleOf(claimAt(claims, names.role)),
    scopes: scopesOf(claims.scope),
    local: false,
    credential: { kind: 'jwt', id: jti ?? null, expiresAt },
  };
}

function isName(value: unknown, max: number): value is string {
  return typeof value === 'string' && value.length <= max && PRINTABLE.test(value);
}

/** Names with dots are tried as they are first: some providers make names of URLs. */
function claimAt(claims: object, path: string): unknown {
  return Object.hasOwn(claims, path) ? own(claims, path) : path.split('.').reduce<unknown>(own, claims);
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/** The highest of those named. A claim that names none that is known gives the least. */
function roleOf(claim: unknown): Role {
  if (claim === undefined) return 'user';
  const named: readonly unknown[] = [claim].flat();
  return ROLES.find((role) => named.includes(role)) ?? 'viewer';
}

function scopesOf(claim: unknown): readonly Permission[] | null {
  if (claim === undefined) return null;
  const named: readonly unknown[] = typeof claim === 'string' ? claim.split(' ') : [claim].flat();
  if (named.length > 0 && named.every((scope) => OPENID_SCOPES.includes(scope))) return null;
  return PERMISSIONS.filter((permission) => named.includes(permission));
}
