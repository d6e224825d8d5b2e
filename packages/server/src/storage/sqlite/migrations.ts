import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { createFirstTables } from './migrations/0001-sessions.ts';
import { addRequests } from './migrations/0002-requests.ts';
import type { Schema } from './schema.ts';

/** In their order; a released one never changes. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_sessions': { up: createFirstTables },
  '0002_requests': { up: addRequests },
};

/** Brings the schema up to date; rejects when the data was written by a newer version. The caller holds a transaction. */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  // There is no such table when the very first write failed.
  const applied = await sql<{ name: string }>`select name from kysely_migration`.execute(db).then(
    ({ rows }) => rows,
    () => [],
  );
  const newer = applied.some(({ name }) => !(name in MIGRATIONS));
  throw newer ? new Error('it was written by a newer version of LLMgine') : error;
}
