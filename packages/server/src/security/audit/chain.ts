/**
 * How entries are chained: the hash of an entry is the SHA-256 of the hash before it, as text, and the entry as canonical
 * JSON (sorted keys, no spaces). The number and the time are in the entry, so nothing can be moved either.
 */
import { createHash } from 'node:crypto';
import type { AuditHead, AuditRow } from '../../storage/audit.ts';
import type { Draft } from './draft.ts';

/** The entry that follows this head. */
export function sealDraft({ id, at, lastAt, count, fields }: Draft, head: AuditHead): AuditRow {
  const number = head.number + 1;
  const entry = canonicalJson({
    number,
    id,
    at: new Date(at).toISOString(),
    ...(count > 1 ? { count, last_at: new Date(lastAt).toISOString() } : {}),
    ...fields,
  });
  const principalId = fields.principal?.id ?? null;
  return { number, id, at, action: fields.action, principalId, entry, hash: linkHash(head.hash, entry) };
}

export function linkHash(before: string, entry: string): string {
  return createHash('sha256').update(before).update(entry).digest('hex');
}

/** One line of an export; the hash can be made again from it and from the line before. */
export function exportLine({ entry, hash }: Pick<AuditRow, 'entry' | 'hash'>): string {
  return `{"entry":${entry},"hash":"${hash}"}`;
}

/** Text that is the same for the same value (RFC 8785). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
}
