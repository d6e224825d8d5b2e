import { StorageOpenError } from '../errors.ts';
import type { OpenedAuditReader } from '../open-audit.ts';
import { Audit } from './audit.ts';
import { Database } from './database.ts';
import { toApiError } from './errors.ts';

/** Reads what another process may be writing. */
export function openSqliteAudit(path: string): OpenedAuditReader {
  let database: Database | null = null;
  try {
    database = new Database({ path, synchronous: 'normal', readOnly: true });
    const audit = new Audit(database, { run: translate, take: (work) => work() });
    return {
      head: () => audit.head(),
      read: (after, limit) => audit.read(after, limit),
      close: async () => database?.close(),
    };
  } catch (error) {
    database?.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StorageOpenError(`The audit log in ${path} cannot be read: ${reason}`, error);
  }
}

function translate<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw toApiError(error);
  }
}
