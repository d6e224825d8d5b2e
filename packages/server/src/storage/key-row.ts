import type { Selectable } from 'kysely';
import type { KeyChanges, KeyRow, NewKey } from './keys.ts';
import type { KeysTable } from './tables.ts';

type Columns = Omit<Selectable<KeysTable>, 'position'>;

/** Texts as one storage keeps them. */
export interface TextCode {
  readonly encode: (text: string) => string;
  readonly decode: (text: string) => string;
}

export const AS_IT_IS: TextCode = { encode: (text) => text, decode: (text) => text };

export function keyColumns(key: NewKey, { encode }: TextCode): Columns {
  return {
    key_id: encode(key.keyId),
    digest: key.digest,
    name: encode(key.name),
    tenant_id: encode(key.tenantId),
    principal_id: encode(key.principalId),
    role: encode(key.role),
    scopes: scopesColumn(key.scopes),
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    last_used_at: null,
    revoked_at: null,
    successor_id: null,
  };
}

/** The columns that change. */
export function changedColumns(changes: KeyChanges, { encode }: TextCode): Partial<Columns> {
  const { name, role, scopes, expiresAt } = changes;
  return {
    ...(name === undefined ? {} : { name: encode(name) }),
    ...(role === undefined ? {} : { role: encode(role) }),
    ...(scopes === undefined ? {} : { scopes: scopesColumn(scopes) }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
  };
}

export function scopesColumn(scopes: KeyRow['scopes']): string | null {
  return scopes === null ? null : JSON.stringify(scopes);
}

export function toKey(row: Columns, { decode }: TextCode): KeyRow {
  return {
    keyId: decode(row.key_id),
    digest: row.digest,
    name: decode(row.name),
    tenantId: decode(row.tenant_id),
    principalId: decode(row.principal_id),
    role: decode(row.role),
    scopes: row.scopes === null ? null : (JSON.parse(row.scopes) as string[]),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
    successorId: row.successor_id === null ? null : decode(row.successor_id),
  };
}
