import type { AuditHead, Storage } from '../../src/storage/types.ts';

/** Everything that can be done with the audit log. */
export async function useAudit({ audit }: Storage): Promise<void> {
  const seal = ({ id }: { readonly id: string }, { number }: AuditHead) => ({
    id,
    number: number + 1,
    hash: `hash ${number}`,
    at: 1000,
    action: 'logout',
    principalId: 'somebody',
    entry: '{}',
  });
  await audit.append([{ id: 'one' }, { id: 'two' }], seal);
  await audit.append([{ id: 'two' }], seal);
  await audit.head();
  await audit.read(1, 10);
  const filters = [
    {},
    { before: 100 },
    { action: 'logout' },
    { principalId: 'somebody', before: 100 },
    { from: 1, until: 2 },
    { from: 1, until: 2, action: 'logout', principalId: 'somebody', before: 100 },
  ];
  for (const filter of filters) await audit.list({ limit: 10, ...filter });
}
