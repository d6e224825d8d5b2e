import { dirname } from 'node:path';
import type { ConfigValues } from '../config.ts';
import type { AuditStorage } from './audit.ts';
import { StorageOpenError } from './errors.ts';
import type { KeyStorage } from './keys.ts';
import { databasePath, MEMORY, makeFolder, POSTGRES_URL } from './open.ts';
import { openPostgresKeys } from './postgres/open-keys.ts';
import { openSqliteKeys } from './sqlite/open-keys.ts';

type KeysConfig = Pick<ConfigValues, 'databaseUrl' | 'dataDir' | 'sqliteSynchronous' | 'databaseTimeout'>;

export interface OpenKeys {
  readonly keys: KeyStorage;
  /** What is done with them is recorded. */
  readonly audit: AuditStorage;
  close(): Promise<void>;
}

/**
 * The keys alone of the storage that the configuration names, also while servers have it open; makes it when there is
 * none. Throws `StorageInUseError` and `StorageOpenError`.
 */
export async function openKeys(config: KeysConfig): Promise<OpenKeys> {
  const { databaseUrl } = config;
  if (databaseUrl !== undefined && POSTGRES_URL.test(databaseUrl)) {
    return openPostgresKeys({ url: databaseUrl, timeoutMs: Math.round(config.databaseTimeout * 1000) });
  }
  const path = databasePath(config);
  if (path === MEMORY)
    throw new StorageOpenError('A database in memory belongs to its server alone', undefined);
  makeFolder(dirname(path));
  return openSqliteKeys({ path, synchronous: config.sqliteSynchronous });
}
