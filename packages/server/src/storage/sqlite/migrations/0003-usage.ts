import { type Kysely, sql } from 'kysely';

/** What runs use, summed on their sessions and on the days of their owners, and what they have set aside. */
export async function addUsage(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `alter table runs add column steps integer not null default 0`,
  `alter table runs add column reserved text`,
  `alter table sessions add column usage text`,
  `alter table sessions add column steps integer not null default 0`,
  `alter table sessions add column elapsed_ms integer not null default 0`,
  // The merge takes out what no run has.
  `update sessions set usage = used.usage, elapsed_ms = used.elapsed_ms from (
    select session, sum(elapsed_ms) as elapsed_ms, case when count(usage) > 0 then json_patch('{}', json_object(
      'input_tokens', sum(usage ->> 'input_tokens'), 'output_tokens', sum(usage ->> 'output_tokens'),
      'total_tokens', sum(usage ->> 'total_tokens'), 'cached_input_tokens', sum(usage ->> 'cached_input_tokens'),
      'reasoning_tokens', sum(usage ->> 'reasoning_tokens')
    )) end as usage from runs group by session
  ) as used where used.session = sessions.position`,
  `create table usage_days (
    tenant_id text not null,
    owner_id text not null,
    day text not null,
    input_tokens integer not null,
    output_tokens integer not null,
    total_tokens integer not null,
    cached_input_tokens integer not null,
    reasoning_tokens integer not null,
    cost real not null,
    steps integer not null,
    elapsed_ms integer not null,
    reserved_tokens integer not null,
    reserved_cost real not null,
    reserved_steps integer not null,
    reserved_ms integer not null,
    constraint usage_days_key primary key (tenant_id, owner_id, day)
  ) strict, without rowid`,
  `create index usage_days_by_day on usage_days (day)`,
];
