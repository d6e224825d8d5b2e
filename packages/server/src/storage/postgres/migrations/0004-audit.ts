import { type Kysely, sql } from 'kysely';

export async function addAudit(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `create table audit_log (
    number bigint not null primary key,
    at bigint not null,
    id text not null,
    action text not null,
    principal_id text,
    entry text not null,
    hash text not null,
    constraint audit_log_id unique (id)
  )`,
  `create index audit_log_by_time on audit_log (at, number)`,
  `create index audit_log_by_action on audit_log (action, at, number)`,
  `create index audit_log_by_principal on audit_log (principal_id, at, number)`,
  `create table audit_head (
    one bigint not null primary key check (one = 1),
    number bigint not null,
    hash text not null
  ) with (fillfactor = 50)`,
  `create function audit_append_only() returns trigger language plpgsql as
    $$ begin raise exception 'the audit log is append-only'; end $$`,
  `create trigger audit_log_no_change before update or delete or truncate on audit_log
    for each statement execute function audit_append_only()`,
  `create trigger audit_head_no_delete before delete or truncate on audit_head
    for each statement execute function audit_append_only()`,
  `create trigger audit_head_no_return before update on audit_head
    for each row when (new.number <= old.number) execute function audit_append_only()`,
];
