import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrateToLatest } from '../migrate.ts';
import type { Schema } from '../tables.ts';
import { createFirstTables } from './migrations/0001-sessions.ts';
import { addRequests } from './migrations/0002-requests.ts';
import { addUsage } from './migrations/0003-usage.ts';
import { addFiles } from './migrations/0004-files.ts';
import { addAudit } from './migrations/0005-audit.ts';
import { addKeys } from './migrations/0006-keys.ts';
import { addBrowserSessions } from './migrations/0007-browser-sessions.ts';
import { addForks } from './migrations/0008-forks.ts';

/** In their order; a released one never changes. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_sessions': { up: createFirstTables },
  '0002_requests': { up: addRequests },
  '0003_usage': { up: addUsage },
  '0004_files': { up: addFiles },
  '0005_audit': { up: addAudit },
  '0006_keys': { up: addKeys },
  '0007_browser_sessions': { up: addBrowserSessions },
  '0008_forks': { up: addForks },
};

/** In their order. */
export const MIGRATION_NAMES: readonly string[] = Object.keys(MIGRATIONS);

/** Whether there is nothing to do for `migrate` where these were applied. */
export function isUpToDate(applied: readonly string[]): boolean {
  const known = Object.keys(MIGRATIONS);
  return applied.length === known.length && known.every((name) => applied.includes(name));
}

/** Brings the schema up to date; rejects when the data was written by a newer version. The caller holds a transaction. */
export function migrate(db: Kysely<Schema>): Promise<void> {
  return migrateToLatest(db, MIGRATIONS);
}
