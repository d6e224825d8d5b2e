import { Button, Kbd, SegmentedControl, Skeleton, Stack, TextInput } from '@mantine/core';
import { IconMessagePlus, IconPlus, IconSearch } from '@tabler/icons-react';
import { use, useEffect, useRef, useState } from 'react';
import { useLocation } from 'react-router';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useMay } from '../../lib/auth.ts';
import { defaultEngine, useEngines } from '../../lib/engines.ts';
import { count, plural } from '../../lib/format.ts';
import { notifyError } from '../../lib/notify.ts';
import type { SessionStatus, SessionSummary } from '../../lib/protocol.ts';
import { ImportButton } from './import-button.tsx';
import { NewSessionContext } from './new-session-context.ts';
import { SessionTable } from './session-table.tsx';
import classes from './sessions-page.module.css';
import { useCreateSession } from './use-create-session.ts';
import { matches, useSessions } from './use-sessions.ts';

const FILTERS = [
  { value: 'all', label: 'All' },
  { value: 'running', label: 'Running' },
  { value: 'idle', label: 'Idle' },
  { value: 'failed', label: 'Failed' },
];

export function SessionsPage() {
  const [filter, setFilter] = useState('all');
  const [search, setSearch] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const location = useLocation();
  const mayWrite = useMay('sessions:write');
  const openNew = use(NewSessionContext);
  const sessions = useSessions(filter === 'all' ? null : (filter as SessionStatus));
  const loaded = sessions.data?.pages.flatMap((page) => page.sessions) ?? [];
  const shown = loaded.filter((session) => matches(session, search));
  const first = sessions.data?.pages[0];

  useEffect(() => {
    if ((location.state as { search?: boolean } | null)?.search) field.current?.focus();
  }, [location.state]);

  // What is searched for may be on a page that is not loaded yet.
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = sessions;
  const looksFurther = search.trim() !== '' && shown.length < 20 && loaded.length < 1000;
  useEffect(() => {
    if (looksFurther && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [looksFurther, hasNextPage, isFetchingNextPage, fetchNextPage]);

  const isFirstVisit = sessions.isSuccess && loaded.length === 0 && filter === 'all';
  return (
    <div className={classes.page}>
      <PageHeader
        title="Sessions"
        note={
          first ? `${plural(first.total, 'session')}${first.total_exact === false ? ' or more' : ''}` : ' '
        }
        actions={
          mayWrite ? (
            <>
              <ImportButton />
              <Button leftSection={<IconPlus size={16} />} onClick={openNew}>
                New session
              </Button>
            </>
          ) : null
        }
      />
      {isFirstVisit ? (
        <FirstSession mayWrite={mayWrite} />
      ) : (
        <>
          <div className={classes.filters}>
            <TextInput
              ref={field}
              data-search
              aria-label="Search sessions by name or id"
              placeholder="Search by name or id"
              leftSection={<IconSearch size={16} />}
              rightSection={<Kbd size="xs">/</Kbd>}
              className={classes.search}
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Escape') setSearch('');
              }}
            />
            <SegmentedControl
              aria-label="Status"
              data={FILTERS}
              value={filter}
              onChange={setFilter}
              size="xs"
            />
          </div>
          {sessions.error ? (
            <ErrorPanel error={sessions.error} onRetry={() => void sessions.refetch()} />
          ) : (
            <Found
              isLoading={sessions.isLoading}
              sessions={shown}
              isFiltered={search !== '' || filter !== 'all'}
            />
          )}
          {hasNextPage && search === '' ? (
            <More isLoading={isFetchingNextPage} onMore={() => void fetchNextPage()} />
          ) : null}
          <div className="hidden-text" role="status">
            {search === '' ? '' : `${count(shown.length)} found`}
          </div>
        </>
      )}
    </div>
  );
}

interface FoundProps {
  readonly isLoading: boolean;
  readonly sessions: readonly SessionSummary[];
  readonly isFiltered: boolean;
}

function Found({ isLoading, sessions, isFiltered }: FoundProps) {
  if (isLoading) {
    return (
      <Stack gap="xs" aria-hidden>
        {['a', 'b', 'c', 'd', 'e', 'f'].map((key) => (
          <Skeleton key={key} height={44} />
        ))}
      </Stack>
    );
  }
  if (sessions.length === 0 && isFiltered) {
    return (
      <EmptyState icon={<IconSearch size={24} />} title="Nothing found">
        No session has this in its name, its id or its metadata.
      </EmptyState>
    );
  }
  return <SessionTable sessions={sessions} />;
}

function FirstSession({ mayWrite }: { readonly mayWrite: boolean }) {
  const { engines } = useEngines();
  const create = useCreateSession();
  const engineType = defaultEngine(engines);
  const start = () =>
    create.mutate(
      { name: '', engineType },
      { onError: (error) => notifyError(error, 'The session was not created') },
    );
  return (
    <EmptyState
      icon={<IconMessagePlus size={24} />}
      title="Start your first session"
      action={
        mayWrite ? (
          <Button mt="sm" size="md" onClick={start} loading={create.isPending}>
            Start a session
          </Button>
        ) : null
      }
    >
      A session is a conversation with an engine. It goes on when your connection does not, and keeps
      everything that happened in it.
    </EmptyState>
  );
}

/** Loads the next page when it comes into sight, and on a click where nothing scrolls. */
function More({ isLoading, onMore }: { readonly isLoading: boolean; readonly onMore: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  useEffect(() => {
    more.current = onMore;
  });
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) more.current();
    });
    if (place.current) observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return (
    <div ref={place} className={classes.more}>
      <Button variant="subtle" loading={isLoading} onClick={onMore}>
        Load more
      </Button>
    </div>
  );
}
