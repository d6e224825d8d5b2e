import type { Selectable } from 'kysely';
import type { BrowserSessionRow } from './browser-sessions.ts';
import { scopesColumn, type TextCode } from './key-row.ts';
import type { BrowserSessionsTable } from './tables.ts';

type Columns = Omit<Selectable<BrowserSessionsTable>, 'position'>;

export function browserSessionColumns(session: BrowserSessionRow, { encode }: TextCode): Columns {
  const { credentialId } = session;
  return {
    id: encode(session.id),
    digest: session.digest,
    proof: session.proof,
    tenant_id: encode(session.tenantId),
    principal_id: encode(session.principalId),
    role: encode(session.role),
    scopes: scopesColumn(session.scopes),
    credential_kind: encode(session.credentialKind),
    credential_id: credentialId === null ? null : encode(credentialId),
    created_at: session.createdAt,
    used_at: session.usedAt,
    expires_at: session.expiresAt,
  };
}

export function toBrowserSession(row: Columns, { decode }: TextCode): BrowserSessionRow {
  return {
    id: decode(row.id),
    digest: row.digest,
    proof: row.proof,
    tenantId: decode(row.tenant_id),
    principalId: decode(row.principal_id),
    role: decode(row.role),
    scopes: row.scopes === null ? null : (JSON.parse(row.scopes) as string[]),
    credentialKind: decode(row.credential_kind),
    credentialId: row.credential_id === null ? null : decode(row.credential_id),
    createdAt: row.created_at,
    usedAt: row.used_at,
    expiresAt: row.expires_at,
  };
}
