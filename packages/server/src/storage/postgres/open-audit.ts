import { StorageOpenError } from '../errors.ts';
import type { OpenedAuditReader } from '../open-audit.ts';
import { Audit } from './audit.ts';
import { Database } from './database.ts';
import { openReason, toApiError } from './errors.ts';

/** Needs no more than the right to read the two tables. */
export async function openPostgresAudit(url: string, timeoutMs: number): Promise<OpenedAuditReader> {
  const database = new Database({ url, pool: 1, timeoutMs, onError: () => {} });
  const audit = new Audit(database, {
    again: async (work) => {
      try {
        return await work();
      } catch (error) {
        throw toApiError(error);
      }
    },
  });
  try {
    await database.sql.selectFrom('audit_head').select('number').execute();
  } catch (error) {
    await database.close();
    throw new StorageOpenError(`The audit log cannot be read: ${openReason(error)}`, error);
  }
  return {
    head: () => audit.head(),
    read: (after, limit) => audit.read(after, limit),
    close: () => database.close(),
  };
}
