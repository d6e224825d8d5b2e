import type { IssuedApiKey } from '@llmgine/client';
import { Button, Skeleton } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { LoadMore } from '../../components/load-more.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { client } from '../../lib/client.ts';
import classes from './admin.module.css';
import { AdminOnly } from './admin-only.tsx';
import { IssuedKeyDialog } from './issued-key-dialog.tsx';
import { KeyTable } from './key-table.tsx';
import { KEYS_KEY } from './keys-key.ts';
import { NewKeyDialog } from './new-key-dialog.tsx';

export function KeysPage() {
  return (
    <AdminOnly>
      <Keys />
    </AdminOnly>
  );
}

function Keys() {
  const [creating, setCreating] = useState(false);
  const [issued, setIssued] = useState<IssuedApiKey | null>(null);
  const pages = useInfiniteQuery({
    queryKey: KEYS_KEY,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      client.admin.keys.list({ limit: 50, signal, ...(pageParam === null ? {} : { cursor: pageParam }) }),
    getNextPageParam: (page) => page.next,
  });
  const keys = pages.data?.pages.flatMap((page) => page.keys) ?? [];
  const create = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
      New key
    </Button>
  );
  return (
    <div className={classes.page}>
      <PageHeader title="Keys" note="Who may speak to this server, and what they may do." actions={create} />
      {pages.error ? <ErrorPanel error={pages.error} onRetry={() => void pages.refetch()} /> : null}
      {pages.isLoading ? <Skeleton height={200} /> : null}
      {pages.isSuccess && keys.length === 0 ? (
        <EmptyState icon={<IconKey size={24} />} title="No keys yet">
          Whoever connects from another machine needs one.
        </EmptyState>
      ) : null}
      {keys.length > 0 ? <KeyTable keys={keys} onIssued={setIssued} /> : null}
      <LoadMore pages={pages} />
      <NewKeyDialog opened={creating} onClose={() => setCreating(false)} onIssued={setIssued} />
      <IssuedKeyDialog issued={issued} onClose={() => setIssued(null)} />
    </div>
  );
}
