import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrateToLatest } from '../migrate.ts';
import { createFirstTables } from './migrations/0001-sessions.ts';
import { addUsage } from './migrations/0002-usage.ts';
import { addFiles } from './migrations/0003-files.ts';
import { addAudit } from './migrations/0004-audit.ts';
import { addKeys } from './migrations/0005-keys.ts';
import { addBrowserSessions } from './migrations/0006-browser-sessions.ts';
import { addForks } from './migrations/0007-forks.ts';
import type { Schema } from './schema.ts';

/** In their order; a released one never changes. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_sessions': { up: createFirstTables },
  '0002_usage': { up: addUsage },
  '0003_files': { up: addFiles },
  '0004_audit': { up: addAudit },
  '0005_keys': { up: addKeys },
  '0006_browser_sessions': { up: addBrowserSessions },
  '0007_forks': { up: addForks },
};

/** In their order. */
export const MIGRATION_NAMES: readonly string[] = Object.keys(MIGRATIONS);

/** Any number that is the same in every process; locks of other programs on the same database have others. */
export const MIGRATION_LOCK = 7_316_402_611;

/** Brings the schema up to date, one process after the other; rejects when the data was written by a newer version. */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  await db.transaction().execute(async (locked) => {
    // Whoever starts second waits for as long as the first one needs.
    await sql`set local lock_timeout = 0`.execute(locked);
    await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(locked);
    await migrateToLatest(db, MIGRATIONS);
  });
}
