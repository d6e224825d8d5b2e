import { type Kysely, sql } from 'kysely';

const strict = sql`strict`;

export async function addFiles(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('files')
    .addColumn('session', 'integer', (column) => column.notNull())
    .addColumn('file_id', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('written_at', 'integer', (column) => column.notNull())
    .addColumn('completed_at', 'integer')
    .addColumn('size', 'integer', (column) => column.notNull())
    .addColumn('room', 'integer', (column) => column.notNull())
    .addColumn('duration', 'real')
    .addColumn('mime_type', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('files_key', ['session', 'file_id'])
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createIndex('files_unfinished')
    .on('files')
    .column('written_at')
    .where(sql.ref('completed_at'), 'is', null)
    .execute();
  // With a rowid, as events: pieces of many files arrive mixed, and are written side by side.
  await db.schema
    .createTable('file_pieces')
    .addColumn('session', 'integer', (column) => column.notNull())
    .addColumn('file_id', 'text', (column) => column.notNull())
    .addColumn('start', 'integer', (column) => column.notNull())
    .addColumn('bytes', 'blob', (column) => column.notNull())
    .addPrimaryKeyConstraint('file_pieces_key', ['session', 'file_id', 'start'])
    .modifyEnd(strict)
    .execute();
}
