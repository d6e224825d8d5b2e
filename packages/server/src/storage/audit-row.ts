import type { AuditHead, AuditRow } from './audit.ts';
import type { AuditLogTable } from './tables.ts';

export function toAuditRow({ principal_id, ...row }: AuditLogTable): AuditRow {
  return { ...row, principalId: principal_id };
}

/** The rows of the drafts, each after the one before, and the head after them. */
export function chainRows<Draft extends { readonly id: string }>(
  drafts: readonly Draft[],
  head: AuditHead,
  seal: (draft: Draft, head: AuditHead) => AuditRow,
): { readonly rows: readonly AuditLogTable[]; readonly head: AuditHead } {
  let last = head;
  const rows = drafts.map((draft) => {
    const { principalId, ...row } = seal(draft, last);
    last = { number: row.number, hash: row.hash };
    return { ...row, principal_id: principalId };
  });
  return { rows, head: last };
}
