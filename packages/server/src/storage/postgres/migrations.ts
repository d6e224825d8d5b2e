import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { createFirstTables } from './migrations/0001-sessions.ts';
import type { Schema } from './schema.ts';

/** In their order; a released one never changes. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_sessions': { up: createFirstTables },
};

/** Any number that is the same in every process; locks of other programs on the same database have others. */
export const MIGRATION_LOCK = 7_316_402_611;

/** Brings the schema up to date, one process after the other; rejects when the data was written by a newer version. */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  await db.transaction().execute(async (locked) => {
    // Whoever starts second waits for as long as the first one needs.
    await sql`set local lock_timeout = 0`.execute(locked);
    await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(locked);
    await migrateToLatest(db);
  });
}

async function migrateToLatest(db: Kysely<Schema>): Promise<void> {
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
