import { type Kysely, sql } from 'kysely';

export async function addAudit(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const REFUSE = `begin select raise(abort, 'the audit log is append-only'); end`;

const STATEMENTS = [
  `create table audit_log (
    number integer not null primary key,
    id text not null unique,
    at integer not null,
    action text not null,
    principal_id text,
    entry text not null,
    hash text not null
  ) strict`,
  `create index audit_log_by_time on audit_log (at, number)`,
  `create index audit_log_by_action on audit_log (action, at, number)`,
  `create index audit_log_by_principal on audit_log (principal_id, at, number)`,
  `create table audit_head (
    one integer not null primary key check (one = 1),
    number integer not null,
    hash text not null
  ) strict`,
  `create trigger audit_log_no_update before update on audit_log ${REFUSE}`,
  `create trigger audit_log_no_delete before delete on audit_log ${REFUSE}`,
  // An insert that replaces a row deletes it without the trigger above.
  `create trigger audit_log_no_replace before insert on audit_log
    when new.number <> (select coalesce(max(number), 0) + 1 from audit_log)
      or exists (select 1 from audit_log where id = new.id) ${REFUSE}`,
  `create trigger audit_head_no_delete before delete on audit_head ${REFUSE}`,
  `create trigger audit_head_no_return before update on audit_head
    when new.number <= old.number ${REFUSE}`,
];
