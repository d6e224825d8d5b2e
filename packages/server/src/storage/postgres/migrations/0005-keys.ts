import { type Kysely, sql } from 'kysely';

export async function addKeys(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  // Room in the pages, because a key in use changes once a minute.
  `create table keys (
    position bigint generated always as identity primary key,
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint,
    digest bytea not null,
    key_id text not null constraint keys_id unique,
    name text not null,
    tenant_id text not null,
    principal_id text not null,
    role text not null,
    scopes text,
    successor_id text
  ) with (fillfactor = 70)`,
  `create index keys_by_tenant on keys (tenant_id, position)`,
];
