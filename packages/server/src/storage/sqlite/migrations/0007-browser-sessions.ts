import { type Kysely, sql } from 'kysely';

export async function addBrowserSessions(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `create table browser_sessions (
    position integer primary key,
    id text not null constraint browser_sessions_id unique,
    digest blob not null,
    proof blob not null,
    tenant_id text not null,
    principal_id text not null,
    role text not null,
    scopes text,
    credential_kind text not null,
    credential_id text,
    created_at integer not null,
    used_at integer not null,
    expires_at integer not null
  ) strict`,
  `create index browser_sessions_by_owner on browser_sessions (tenant_id, principal_id, position)`,
  `create index browser_sessions_by_end on browser_sessions (expires_at)`,
];
