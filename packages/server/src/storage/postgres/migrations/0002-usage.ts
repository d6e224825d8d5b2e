import { type Kysely, sql } from 'kysely';

/** What runs use, summed on their sessions and on the days of their owners, and what they have set aside. */
export async function addUsage(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS = [
  `alter table runs add column steps bigint not null default 0, add column reserved text`,
  `alter table sessions add column usage text, add column steps bigint not null default 0,
    add column elapsed_ms float8 not null default 0`,
  `update sessions set usage = used.usage, elapsed_ms = used.elapsed_ms from (
    select session, sum(elapsed_ms) as elapsed_ms, case when count(usage) > 0 then json_strip_nulls(json_build_object(
      'input_tokens', sum((usage::json ->> 'input_tokens')::bigint),
      'output_tokens', sum((usage::json ->> 'output_tokens')::bigint),
      'total_tokens', sum((usage::json ->> 'total_tokens')::bigint),
      'cached_input_tokens', sum((usage::json ->> 'cached_input_tokens')::bigint),
      'reasoning_tokens', sum((usage::json ->> 'reasoning_tokens')::bigint)
    ))::text end as usage from runs group by session
  ) as used where used.session = sessions.position`,
  // Room in the pages, because the row of a caller changes with each step.
  `create table usage_days (
    tenant_id text not null,
    owner_id text not null,
    day text not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    total_tokens bigint not null,
    cached_input_tokens bigint not null,
    reasoning_tokens bigint not null,
    cost float8 not null,
    steps bigint not null,
    elapsed_ms float8 not null,
    reserved_tokens bigint not null,
    reserved_cost float8 not null,
    reserved_steps bigint not null,
    reserved_ms float8 not null,
    constraint usage_days_key primary key (tenant_id, owner_id, day)
  ) with (fillfactor = 70)`,
  `create index usage_days_by_day on usage_days (day)`,
];
