import { AUDIT_ACTIONS } from '@llmgine/protocol/wire';
import { Select, Skeleton, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconListDetails } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { LoadMore } from '../../components/load-more.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { client } from '../../lib/client.ts';
import classes from './admin.module.css';
import { AdminOnly } from './admin-only.tsx';
import { AuditHead } from './audit-head.tsx';
import { AuditTable } from './audit-table.tsx';

export function AuditPage() {
  return (
    <AdminOnly>
      <Audit />
    </AdminOnly>
  );
}

function Audit() {
  const [action, setAction] = useState<string | null>(null);
  const [principal, setPrincipal] = useState('');
  const [who] = useDebouncedValue(principal.trim(), 300);
  const pages = useInfiniteQuery({
    queryKey: ['audit', action, who],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      client.admin.audit({
        limit: 50,
        signal,
        ...(pageParam === null ? {} : { cursor: pageParam }),
        ...(action === null ? {} : { action }),
        ...(who === '' ? {} : { principalId: who }),
      }),
    getNextPageParam: (page) => page.next,
  });
  const entries = pages.data?.pages.flatMap((page) => page.entries) ?? [];
  return (
    <div className={classes.page}>
      <PageHeader title="Audit log" note="What matters for security, each entry bound to the one before." />
      <AuditHead />
      <div className={classes.filters}>
        <Select
          aria-label="Action"
          placeholder="All actions"
          data={AUDIT_ACTIONS}
          value={action}
          onChange={setAction}
          searchable
          clearable
        />
        <TextInput
          data-search
          aria-label="Who"
          placeholder="Whose id"
          value={principal}
          onChange={(event) => setPrincipal(event.currentTarget.value)}
        />
      </div>
      {pages.error ? <ErrorPanel error={pages.error} onRetry={() => void pages.refetch()} /> : null}
      {pages.isLoading ? <Skeleton height={200} /> : null}
      {pages.isSuccess && entries.length === 0 ? (
        <EmptyState icon={<IconListDetails size={24} />} title="No entries">
          Nothing was recorded that fits.
        </EmptyState>
      ) : null}
      {entries.length > 0 ? <AuditTable entries={entries} /> : null}
      <LoadMore pages={pages} />
    </div>
  );
}
