import { existsSync } from 'node:fs';
import type { AuditReader } from './audit.ts';
import { StorageOpenError } from './errors.ts';
import { databasePath, MEMORY, POSTGRES_URL, type StorageConfig } from './open.ts';
import { openPostgresAudit } from './postgres/open-audit.ts';
import { openSqliteAudit } from './sqlite/open-audit.ts';

export interface OpenedAuditReader extends AuditReader {
  close(): Promise<void>;
}

/**
 * Opens the audit log of the storage that the configuration names, to read only, also beside a running server. Throws
 * `StorageOpenError`, whose message is one line for people and holds no secret.
 */
export async function openAuditReader(config: StorageConfig): Promise<OpenedAuditReader> {
  const { databaseUrl, databaseTimeout } = config;
  if (databaseUrl !== undefined && POSTGRES_URL.test(databaseUrl)) {
    return openPostgresAudit(databaseUrl, Math.round(databaseTimeout * 1000));
  }
  const path = databasePath(config);
  if (path === MEMORY)
    throw new StorageOpenError('Data in memory ends with its server; there is none to read', null);
  if (!existsSync(path)) throw new StorageOpenError(`There is no data in ${path}`, null);
  return openSqliteAudit(path);
}
