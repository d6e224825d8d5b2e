import { type Kysely, sql } from 'kysely';

const strict = sql`strict`;

/** Requests to people, runs that go on after a crash, retention of events, and answers that are kept. */
export async function addRequests(db: Kysely<unknown>): Promise<void> {
  for (const column of ['attempt', 'elapsed_ms', 'recoveries']) {
    await db.schema
      .alterTable('runs')
      .addColumn(column, 'integer', (one) => one.notNull().defaultTo(0))
      .execute();
  }
  await sql`update runs set attempt = 1 where started_at is not null`.execute(db);
  await addRetention(db);

  await db.schema
    .createTable('requests')
    .addColumn('session', 'integer', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('request_key', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'integer', (column) => column.notNull())
    .addColumn('claimed_by', 'text')
    .addColumn('claimed_until', 'integer')
    .addColumn('outcome', 'text')
    .addColumn('resolved_at', 'integer')
    .addColumn('resolved_by', 'text')
    .addColumn('tool_name', 'text')
    .addColumn('tool_call_id', 'text')
    .addColumn('prompt', 'text', (column) => column.notNull())
    .addColumn('schema', 'text')
    .addColumn('arguments', 'text')
    .addColumn('value', 'text')
    .addColumn('reason', 'text')
    .addPrimaryKeyConstraint('requests_key', ['session', 'request_id'])
    .addUniqueConstraint('requests_key_of_run', ['session', 'run_id', 'request_key'])
    .modifyEnd(strict)
    .execute();
  await db.schema.createIndex('requests_of_session').on('requests').columns(['session', 'seq']).execute();
  await db.schema
    .createIndex('requests_of_run')
    .on('requests')
    .columns(['session', 'run_id', 'seq'])
    .execute();
  const pending = { requests_pending: ['session', 'seq'], requests_pending_of_run: ['session', 'run_id'] };
  for (const [name, columns] of Object.entries({ ...pending, requests_due: ['expires_at'] })) {
    await db.schema
      .createIndex(name)
      .on('requests')
      .columns(columns)
      .where(sql.ref('outcome'), 'is', null)
      .execute();
  }

  await db.schema
    .createTable('idempotency')
    .addColumn('tenant_id', 'text', (column) => column.notNull())
    .addColumn('owner_id', 'text', (column) => column.notNull())
    .addColumn('idempotency_key', 'text', (column) => column.notNull())
    .addColumn('body_hash', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('response', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('idempotency_of_owner', ['tenant_id', 'owner_id', 'idempotency_key'])
    .modifyEnd(strict)
    .execute();
  await db.schema.createIndex('idempotency_by_age').on('idempotency').column('created_at').execute();
}

async function addRetention(db: Kysely<unknown>): Promise<void> {
  for (const column of ['from_seq', 'to_seq', 'completed_at']) {
    await db.schema.alterTable('messages').addColumn(column, 'integer').execute();
  }
  await db.schema
    .createIndex('messages_to_compact')
    .on('messages')
    .column('completed_at')
    .where(sql.ref('to_seq'), 'is not', null)
    .execute();

  await db.schema
    .alterTable('sessions')
    .addColumn('floor_seq', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('sessions').addColumn('kept_since', 'integer').execute();
  await sql`
    update sessions set kept_since =
      (select created_at from events where events.session = sessions.position order by seq limit 1)
  `.execute(db);
  // An index on the times of the events themselves would be one more to write for every token.
  await db.schema
    .createIndex('sessions_to_prune')
    .on('sessions')
    .column('kept_since')
    .where(sql.ref('deleted_at'), 'is', null)
    .where(sql.ref('kept_since'), 'is not', null)
    .execute();
  await db.schema.createIndex('event_ids_by_seq').on('event_ids').columns(['session', 'seq']).execute();
}
