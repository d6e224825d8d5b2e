import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { AuditQuery } from './audit.ts';
import type { AuditLogTable } from './tables.ts';

/** Where an entry is in a list. */
export interface AuditPlace {
  readonly at: number;
  readonly number: number;
}

/** Before everything in a list. */
export const LATEST: AuditPlace = { at: Number.MAX_SAFE_INTEGER, number: Number.MAX_SAFE_INTEGER };

interface AuditSchema {
  audit_log: AuditLogTable;
}

/**
 * The entries that follow this place. They are in the order of their time, for which there is an index with every filter;
 * the order of the numbers is almost the same, but not quite where several processes write.
 */
export function selectPage<Schema extends AuditSchema>(
  db: Kysely<Schema>,
  { limit, action, principalId, from, until }: AuditQuery,
  last: AuditPlace,
): SelectQueryBuilder<AuditSchema, 'audit_log', AuditLogTable> {
  let query = (db as unknown as Kysely<AuditSchema>)
    .selectFrom('audit_log')
    .selectAll()
    .where(sql<boolean>`(at, number) < (${last.at}, ${last.number})`)
    .orderBy('at', 'desc')
    .orderBy('number', 'desc')
    .limit(limit);
  if (action !== undefined) query = query.where('action', '=', action);
  if (principalId !== undefined) query = query.where('principal_id', '=', principalId);
  if (from !== undefined) query = query.where('at', '>=', from);
  if (until !== undefined) query = query.where('at', '<', until);
  return query;
}
