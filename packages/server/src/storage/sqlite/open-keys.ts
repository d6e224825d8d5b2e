import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { StorageOpenError } from '../errors.ts';
import type { OpenKeys } from '../open-keys.ts';
import { Audit } from './audit.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { isBusy, toApiError } from './errors.ts';
import { Keys } from './keys.ts';
import { lockDatabase, StorageInUseError } from './lock.ts';
import { isUpToDate, migrate } from './migrations.ts';
import { Room } from './room.ts';

/** Longer than anything that the owner of the data does in one transaction. */
const BUSY_TIMEOUT_MS = 10_000;
/** Together some five seconds. */
const MAX_ATTEMPTS = 50;
const RETRY_MS = 100;

/**
 * Opens the keys of a data file, whether a server has it open or not. The lock of the data is not taken: it is for what
 * its owner knows to be so without looking, boot numbers and counters and the fences of runs, and no key is part of
 * that. Between two writers of SQLite's own log one waits for the other, and the transactions of keys are a row or two.
 * Only data whose tables are not there yet, or older ones, is brought up to date first, as its owner.
 */
export async function openSqliteKeys(options: Omit<DatabaseOptions, 'busyMs'>): Promise<OpenKeys> {
  const { path } = options;
  try {
    await ensureTables(options);
    const database = new Database({ ...options, busyMs: BUSY_TIMEOUT_MS });
    const room = new Room(database, null);
    return {
      keys: new Keys(database, { room, run }),
      audit: new Audit(database, { run, take: (work) => room.take(work) }),
      close: async () => database.close(),
    };
  } catch (error) {
    if (error instanceof StorageInUseError) {
      throw new StorageInUseError(
        `${error.message}; what uses it is another version, or is starting right now`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new StorageOpenError(`The data in ${path} cannot be opened: ${reason}`, error);
  }
}

/** Whoever brings the tables up to date right now is done soon. */
async function ensureTables(options: DatabaseOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (!existsSync(options.path) || !hasTables(options)) await bringUpToDate(options);
      return;
    } catch (error) {
      const inUse = error instanceof StorageInUseError || isBusy(error);
      if (!inUse || attempt === MAX_ATTEMPTS) throw error;
      await delay(RETRY_MS);
    }
  }
}

function hasTables(options: DatabaseOptions): boolean {
  const database = new Database({ ...options, busyMs: BUSY_TIMEOUT_MS });
  try {
    const { sql: db } = database;
    const [table] = database.all({
      compile: () => sql`select 1 from sqlite_master where name = 'kysely_migration'`.compile(db),
    });
    if (table === undefined) return false;
    const names = database.all<{ name: string }>({
      compile: () => sql<{ name: string }>`select name from kysely_migration`.compile(db),
    });
    return isUpToDate(names.map(({ name }) => name));
  } finally {
    database.close();
  }
}

async function bringUpToDate(options: DatabaseOptions): Promise<void> {
  const lock = lockDatabase(options.path, () => {});
  try {
    const database = new Database(options);
    try {
      await database.transactionWhileOpening(() => migrate(database.sql));
    } finally {
      database.close();
    }
  } finally {
    lock.release();
  }
}

function run<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw toApiError(error);
  }
}
