import { onTestFinished } from 'vitest';
import { createLogger } from '../../../src/observability/logging.ts';
import type { AuditEvent } from '../../../src/security/audit/event.ts';
import { AuditLog, type AuditLogOptions } from '../../../src/security/audit/log.ts';
import { openSqliteStorage } from '../../../src/storage/sqlite/storage.ts';
import type { AuditStorage } from '../../../src/storage/types.ts';

export type Entry = Record<string, unknown> & { readonly number: number; readonly count?: number };

/** A log on data in memory. Its storage can be made to fail, and to wait. */
export async function openAuditLog(options: Partial<AuditLogOptions> = {}) {
  const storage = await openSqliteStorage({ path: ':memory:', synchronous: 'normal' });
  onTestFinished(() => storage.close());
  const state: { failure: Error | null; gate: Promise<void>; appends: number } = {
    failure: null,
    gate: Promise.resolve(),
    appends: 0,
  };
  const lines: Record<string, unknown>[] = [];
  const raw: string[] = [];
  const reported: unknown[] = [];
  const audit: AuditStorage = {
    append: async (drafts, seal) => {
      state.appends++;
      await state.gate;
      if (state.failure) throw state.failure;
      return storage.audit.append(drafts, seal);
    },
    head: () => storage.audit.head(),
    read: (after, limit) => storage.audit.read(after, limit),
    list: (query) => storage.audit.list(query),
  };
  const log = new AuditLog({
    storage: audit,
    logger: createLogger(
      { debug: false, logFormat: 'json' },
      {
        write: (line) => {
          raw.push(line);
          lines.push(JSON.parse(line) as Record<string, unknown>);
        },
      },
    ),
    report: (_stage, error) => reported.push(error),
    redact: (text) => text,
    ...options,
  });
  onTestFinished(() => log.close());
  return {
    log,
    state,
    lines,
    raw,
    reported,
    storage: storage.audit,
    entries: async () =>
      (await storage.audit.read(0, 100_000)).map(({ entry }) => JSON.parse(entry) as Entry),
  };
}

export const refusal = (address = '192.0.2.1', values: Partial<AuditEvent> = {}): AuditEvent => ({
  action: 'auth.refused',
  outcome: 'refused',
  source: { address, transport: 'rest', requestId: 'req_1' },
  ...values,
});
