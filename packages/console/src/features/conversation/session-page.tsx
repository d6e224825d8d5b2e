import { Skeleton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMoodEmpty } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useCallback, useEffect, useRef } from 'react';
import { Link, useLocation, useNavigate, useParams } from 'react-router';
import { EmptyState } from '../../components/empty-state.tsx';
import { usePageTitle } from '../../components/page-header.tsx';
import { client } from '../../lib/client.ts';
import { errorCode } from '../../lib/errors.ts';
import { shortId } from '../../lib/format.ts';
import { useShortcuts } from '../../lib/use-shortcuts.ts';
import { refreshSessions } from '../sessions/use-sessions.ts';
import { ConnectionBanner } from './connection-banner.tsx';
import { Conversation } from './conversation.tsx';
import { EnginePanel } from './engine-panel.tsx';
import { forkSession } from './fork-session.ts';
import { Requests } from './requests.tsx';
import { SessionHeader } from './session-header.tsx';
import classes from './session-page.module.css';
import { isTab, SessionTabs, type Tab } from './session-tabs.tsx';
import { useLinkedEngine } from './use-linked-engine.ts';
import { type LiveSession, useLiveSession, useSnapshot } from './use-live-session.ts';

const Timeline = lazy(async () => ({ default: (await import('../timeline/timeline.tsx')).Timeline }));
const RunsTab = lazy(async () => ({ default: (await import('../usage/runs-tab.tsx')).RunsTab }));

export function SessionPage() {
  const { sessionId = '', tab } = useParams();
  const detail = useSessionDetail(sessionId);
  const live = useLiveSession(sessionId);
  if (errorCode(detail.error) === 'SESSION_NOT_FOUND') return <Gone />;
  if (!live) {
    return (
      <div className={classes.page} data-full-screen>
        <Skeleton height={32} m="md" />
      </div>
    );
  }
  return <LivePage key={sessionId} live={live} tab={isTab(tab) ? tab : 'conversation'} />;
}

function useSessionDetail(sessionId: string) {
  return useQuery({
    queryKey: ['session', sessionId],
    queryFn: ({ signal }) => client.sessions.get(sessionId, { signal }),
  });
}

function LivePage({ live, tab }: { readonly live: LiveSession; readonly tab: Tab }) {
  const { session } = live;
  const snapshot = useSnapshot(live.view);
  const detail = useSessionDetail(session.id);
  const [engineOpen, engine] = useDisclosure(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const location = useLocation();
  const navigate = useNavigate();
  const name = detail.data?.name ?? `Session ${shortId(session.id)}`;
  usePageTitle(name);
  const goTo = (next: Tab) =>
    void navigate(next === 'conversation' ? `/sessions/${session.id}` : `/sessions/${session.id}/${next}`);
  useShortcuts({
    c: () => field.current?.focus(),
    e: engine.open,
    1: () => goTo('conversation'),
    2: () => goTo('timeline'),
    3: () => goTo('runs'),
  });
  useEffect(() => {
    if ((location.state as { write?: boolean } | null)?.write) field.current?.focus();
  }, [location.state]);

  // What the run used is in the session once it has ended.
  const running = snapshot.runs.filter(({ finished_at: end }) => end === null).length;
  const isClosed = snapshot.connection === 'closed';
  const { refetch } = detail;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever a run begins or ends.
  useEffect(() => {
    // A session that is gone stays to be read; its page says so when it is loaded anew.
    if (!isClosed) void refetch();
    void refreshSessions();
  }, [running, isClosed, refetch]);

  const linked = useLinkedEngine(session.id);
  const linkedId = snapshot.engine?.engine_id;
  const { refetch: refetchEngine } = linked;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever somebody, here or elsewhere, links another one.
  useEffect(() => void refetchEngine(), [linkedId, refetchEngine]);
  const hasEngine = linked.data !== null;
  const givenName = detail.data?.name;
  const fork = useCallback(
    (messageId?: string) =>
      forkSession(session.id, givenName, messageId, (id) => void navigate(`/sessions/${id}`)),
    [session.id, givenName, navigate],
  );
  return (
    <div className={classes.page} data-full-screen>
      <SessionHeader
        session={session}
        name={name}
        detail={detail.data ?? null}
        connection={snapshot.connection}
        engineType={linked.data?.engine_type ?? null}
        onOpenEngine={engine.open}
        onFork={() => fork()}
      />
      <SessionTabs tab={tab} onChange={goTo} />
      <ConnectionBanner state={snapshot.connection} reason={session.closeReason} />
      <Requests session={session} requests={snapshot.requests} />
      {tab === 'conversation' ? (
        <Conversation
          live={live}
          snapshot={snapshot}
          field={field}
          hasEngine={hasEngine}
          onOpenEngine={engine.open}
          onFork={fork}
        />
      ) : (
        <Suspense fallback={<Skeleton height={240} m="lg" />}>
          {tab === 'timeline' ? (
            <Timeline sessionId={session.id} log={live.log} />
          ) : (
            <RunsTab sessionId={session.id} log={live.log} running={running} />
          )}
        </Suspense>
      )}
      <EnginePanel sessionId={session.id} opened={engineOpen} onClose={engine.close} />
    </div>
  );
}

function Gone() {
  usePageTitle('Session not found');
  return (
    <EmptyState
      icon={<IconMoodEmpty size={24} />}
      title="This session is not here"
      isWholePage
      action={<Link to="/">All sessions</Link>}
    >
      It was deleted, has expired, or belongs to somebody else.
    </EmptyState>
  );
}
