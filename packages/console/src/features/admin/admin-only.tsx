import { IconLock } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { EmptyState } from '../../components/empty-state.tsx';
import { useMay } from '../../lib/auth.ts';

/** The server refuses others, too; this says why. */
export function AdminOnly({ children }: { readonly children: ReactNode }) {
  if (useMay('admin')) return children;
  return (
    <EmptyState icon={<IconLock size={24} />} title="For admins" isWholePage>
      Your key does not allow this page.
    </EmptyState>
  );
}
