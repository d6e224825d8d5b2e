import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ConfigValues } from '../config.ts';
import { StorageOpenError } from './errors.ts';
import { openPostgresStorage } from './postgres/storage.ts';
import { openSqliteStorage } from './sqlite/storage.ts';
import type { Storage } from './types.ts';

export const MEMORY = ':memory:';
const SQLITE_URL = /^sqlite:(?:\/\/(?=\/))?(.+)$/;
export const POSTGRES_URL = /^postgres(?:ql)?:/;
const FILE_NAME = 'llmgine.db';

export type StorageConfig = Pick<ConfigValues, 'databaseUrl' | 'dataDir' | 'sqliteSynchronous'> &
  Pick<ConfigValues, 'databasePool' | 'databaseTimeout' | 'runLease'>;

export interface OpenStorageOptions {
  /** Told what went wrong where nobody waits for an answer. */
  readonly onError?: (stage: string, error: unknown) => void;
}

/**
 * Opens the storage that the configuration names: `databaseUrl`, else `llmgine.db` in `dataDir`. Makes the folder
 * and the files, for this user alone; the modes of what is there already stay. Throws `StorageInUseError` and
 * `StorageOpenError`, whose messages are one line for people and hold no secret.
 */
export async function openStorage(config: StorageConfig, options: OpenStorageOptions = {}): Promise<Storage> {
  const { databaseUrl } = config;
  if (databaseUrl !== undefined && POSTGRES_URL.test(databaseUrl)) {
    return openPostgresStorage({
      url: databaseUrl,
      pool: config.databasePool,
      timeoutMs: Math.round(config.databaseTimeout * 1000),
      leaseMs: Math.round(config.runLease * 1000),
      ...options,
    });
  }
  const path = databasePath(config);
  if (path !== MEMORY) makeFolder(dirname(path));
  return openSqliteStorage({ path, synchronous: config.sqliteSynchronous, ...options });
}

export function databasePath({
  databaseUrl,
  dataDir,
}: Pick<ConfigValues, 'databaseUrl' | 'dataDir'>): string {
  if (databaseUrl === undefined) return join(dataDir, FILE_NAME);
  return SQLITE_URL.exec(databaseUrl)?.[1] ?? databaseUrl;
}

export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StorageOpenError(`The folder ${folder} cannot be made: ${(error as Error).message}`, error);
  }
}
