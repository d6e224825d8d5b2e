import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { migrateToLatest } from '../migrate.ts';
import type { Schema } from '../tables.ts';
import { createFirstTables } from './migrations/0001-sessions.ts';
import { addRequests } from './migrations/0002-requests.ts';

/** In their order; a released one never changes. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_sessions': { up: createFirstTables },
  '0002_requests': { up: addRequests },
};

/** Brings the schema up to date; rejects when the data was written by a newer version. The caller holds a transaction. */
export function migrate(db: Kysely<Schema>): Promise<void> {
  return migrateToLatest(db, MIGRATIONS);
}
