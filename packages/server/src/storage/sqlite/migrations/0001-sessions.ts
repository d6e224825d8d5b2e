import { type Kysely, sql } from 'kysely';

const strict = sql`strict`;
const strictWithoutRowid = sql`strict, without rowid`;

export async function createFirstTables(db: Kysely<unknown>): Promise<void> {
  // What filters look at comes before what can be large: SQLite reads a row from its beginning.
  await db.schema
    .createTable('sessions')
    .addColumn('position', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('session_id', 'text', (column) => column.notNull().unique())
    .addColumn('tenant_id', 'text', (column) => column.notNull())
    .addColumn('owner_id', 'text', (column) => column.notNull())
    .addColumn('epoch', 'text', (column) => column.notNull())
    .addColumn('head_seq', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('last_interaction_at', 'integer', (column) => column.notNull())
    .addColumn('unfinished_runs', 'integer', (column) => column.notNull())
    .addColumn('deleted_at', 'integer')
    .addColumn('engine_id', 'text')
    .addColumn('engine_type', 'text')
    .addColumn('engine_status', 'text')
    .addColumn('name', 'text')
    .addColumn('engine_config', 'text')
    .addColumn('metadata', 'text', (column) => column.notNull())
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createIndex('sessions_of_owner')
    .on('sessions')
    .columns(['tenant_id', 'owner_id', 'position'])
    .where(sql.ref('deleted_at'), 'is', null)
    .execute();
  await db.schema
    .createIndex('sessions_of_owner_at_rest')
    .on('sessions')
    .columns(['tenant_id', 'owner_id', 'last_interaction_at'])
    .where(sql.ref('deleted_at'), 'is', null)
    .where(sql.ref('unfinished_runs'), '=', 0)
    .execute();
  await db.schema
    .createIndex('sessions_at_rest')
    .on('sessions')
    .column('last_interaction_at')
    .where(sql.ref('deleted_at'), 'is', null)
    .where(sql.ref('unfinished_runs'), '=', 0)
    .execute();
  await db.schema
    .createIndex('sessions_deleted')
    .on('sessions')
    .column('deleted_at')
    .where(sql.ref('deleted_at'), 'is not', null)
    .execute();

  await db.schema
    .createTable('session_metadata')
    .addColumn('tenant_id', 'text', (column) => column.notNull())
    .addColumn('owner_id', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addColumn('session', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('session_metadata_key', ['tenant_id', 'owner_id', 'key', 'value', 'session'])
    .modifyEnd(strictWithoutRowid)
    .execute();
  await db.schema
    .createIndex('session_metadata_of_session')
    .on('session_metadata')
    .column('session')
    .execute();

  // With a rowid: events of many sessions arrive mixed, so the rows are written side by side at the end of the table,
  // and only the small index is written in many places. Without one an append was measured to cost a third more.
  await db.schema
    .createTable('events')
    .addColumn('session', 'integer', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('event_type', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text')
    .addColumn('payload', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('events_key', ['session', 'seq'])
    .modifyEnd(strict)
    .execute();

  await db.schema
    .createTable('event_ids')
    .addColumn('session', 'integer', (column) => column.notNull())
    .addColumn('event_id', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('event_ids_key', ['session', 'event_id'])
    .modifyEnd(strictWithoutRowid)
    .execute();

  await db.schema
    .createTable('messages')
    .addColumn('session', 'integer', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('accepted_seq', 'integer', (column) => column.notNull())
    .addColumn('message', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('messages_key', ['session', 'seq'])
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createIndex('messages_of_conversation')
    .on('messages')
    .columns(['session', 'accepted_seq', 'seq'])
    .execute();

  await db.schema
    .createTable('runs')
    .addColumn('position', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('session', 'integer', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('accepted_seq', 'integer', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('boot', 'integer')
    .addColumn('open_seq', 'integer')
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('started_at', 'integer')
    .addColumn('finished_at', 'integer')
    .addColumn('engine_id', 'text', (column) => column.notNull())
    .addColumn('engine_type', 'text', (column) => column.notNull())
    .addColumn('command', 'text', (column) => column.notNull())
    .addColumn('body_hash', 'text', (column) => column.notNull())
    .addColumn('engine_config', 'text', (column) => column.notNull())
    .addColumn('parameters', 'text', (column) => column.notNull())
    .addColumn('result', 'text', (column) => column.notNull())
    .addColumn('usage', 'text')
    .addColumn('error', 'text')
    .addUniqueConstraint('runs_key', ['session', 'run_id'])
    .modifyEnd(strict)
    .execute();
  await db.schema.createIndex('runs_of_session').on('runs').columns(['session', 'accepted_seq']).execute();
  await db.schema
    .createIndex('runs_unfinished')
    .on('runs')
    .columns(['session', 'accepted_seq'])
    .where(sql.ref('finished_at'), 'is', null)
    .execute();
  await db.schema
    .createIndex('runs_queued')
    .on('runs')
    .columns(['session', 'position'])
    .where(sql.ref('status'), '=', 'queued')
    .execute();
  await db.schema
    .createIndex('runs_running')
    .on('runs')
    .column('boot')
    .where(sql.ref('status'), '=', 'running')
    .execute();

  await db.schema
    .createTable('owners')
    .addColumn('tenant_id', 'text', (column) => column.notNull())
    .addColumn('owner_id', 'text', (column) => column.notNull())
    .addColumn('sessions', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('owners_key', ['tenant_id', 'owner_id'])
    .modifyEnd(strictWithoutRowid)
    .execute();
  await db.schema
    .createTable('meta')
    .addColumn('key', 'text', (column) => column.notNull().primaryKey())
    .addColumn('value', 'integer', (column) => column.notNull())
    .modifyEnd(strictWithoutRowid)
    .execute();
  await sql`insert into meta (key, value) values ('boot', 0), ('sessions', 0), ('engines', 0)`.execute(db);
}
