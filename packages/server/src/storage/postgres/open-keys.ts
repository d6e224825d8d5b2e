import { StorageOpenError } from '../errors.ts';
import type { OpenKeys } from '../open-keys.ts';
import { Audit } from './audit.ts';
import { Database } from './database.ts';
import { openReason, toApiError } from './errors.ts';
import { Keys } from './keys.ts';
import { bringUpToDate, describe } from './storage.ts';

export interface PostgresKeysOptions {
  readonly url: string;
  readonly timeoutMs: number;
}

/** Opens the keys of a database without a claim on any run, whoever else works on it. Brings the tables up to date. */
export async function openPostgresKeys(options: PostgresKeysOptions): Promise<OpenKeys> {
  const description = describe(options.url);
  const settings = { ...options, pool: 1, onError: () => {} };
  const database = new Database(settings);
  try {
    await bringUpToDate(settings);
    return {
      keys: new Keys(database, { run, again: run }),
      audit: new Audit(database, { again: run }),
      close: () => database.close(),
    };
  } catch (error) {
    await database.close().catch(() => {});
    throw new StorageOpenError(`The data in ${description} cannot be opened: ${openReason(error)}`, error);
  }
}

async function run<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw toApiError(error);
  }
}
