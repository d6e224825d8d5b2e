import { type Kysely, sql } from 'kysely';

export async function addKeys(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `create table keys (
    position integer primary key,
    key_id text not null constraint keys_id unique,
    digest blob not null,
    name text not null,
    tenant_id text not null,
    principal_id text not null,
    role text not null,
    scopes text,
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    revoked_at integer,
    successor_id text
  ) strict`,
  `create index keys_by_tenant on keys (tenant_id, position)`,
];
