/** What people do with the audit log from the command line: to a file, or to the storage beside a running server. */
import { open } from 'node:fs/promises';
import type { APIConfig } from '../config.ts';
import { type AuditVerdict, exportLines, verifyLines, verifyLog } from '../security/audit/verify.ts';
import type { AuditHead } from '../storage/audit.ts';
import { type OpenedAuditReader, openAuditReader } from '../storage/open-audit.ts';

export type { AuditVerdict };

/** `expected`: the hash of a head that was kept elsewhere. */
export function verifyStoredAudit(config: APIConfig, expected?: string): Promise<AuditVerdict> {
  return withReader(config, (reader) => verifyLog(reader, expected));
}

/** Checks an export. Rejects when the file cannot be read. */
export async function verifyAuditFile(path: string, expected?: string): Promise<AuditVerdict> {
  await using file = await open(path);
  return await verifyLines(file.readLines(), expected);
}

export function readAuditHead(config: APIConfig): Promise<AuditHead> {
  return withReader(config, (reader) => reader.head());
}

/** Calls `write` with one line after the other, and waits for it. */
export function exportAudit(config: APIConfig, write: (line: string) => Promise<void>): Promise<void> {
  return withReader(config, async (reader) => {
    for await (const line of exportLines(reader)) await write(line);
  });
}

async function withReader<Result>(
  config: APIConfig,
  work: (reader: OpenedAuditReader) => Promise<Result>,
): Promise<Result> {
  const reader = await openAuditReader(config.values);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}
