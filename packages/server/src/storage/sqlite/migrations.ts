import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrateToLatest } from '../migrate.ts';
import type { Schema } from '../tables.ts';
import { createFirstTables } from './migrations/0001-sessions.ts';
import { addRequests } from './migrations/0002-requests.ts';
import { addUsage } from './migrations/0003-usage.ts';
import { addFiles } from './migrations/0004-files.ts';

/** In their order; a released one never changes. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_sessions': { up: createFirstTables },
  '0002_requests': { up: addRequests },
  '0003_usage': { up: addUsage },
  '0004_files': { up: addFiles },
};

/** Brings the schema up to date; rejects when the data was written by a newer version. The caller holds a transaction. */
export function migrate(db: Kysely<Schema>): Promise<void> {
  return migrateToLatest(db, MIGRATIONS);
}
