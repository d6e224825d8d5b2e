import { type Kysely, sql } from 'kysely';

export async function addBrowserSessions(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  // Room in the pages, because one in use changes once a minute; and no index on what changes then.
  `create table browser_sessions (
    position bigint generated always as identity primary key,
    created_at bigint not null,
    used_at bigint not null,
    expires_at bigint not null,
    digest bytea not null,
    proof bytea not null,
    id text not null constraint browser_sessions_id unique,
    tenant_id text not null,
    principal_id text not null,
    role text not null,
    scopes text,
    credential_kind text not null,
    credential_id text
  ) with (fillfactor = 70)`,
  `create index browser_sessions_by_owner on browser_sessions (tenant_id, principal_id, position)`,
  `create index browser_sessions_by_end on browser_sessions (expires_at)`,
];
