import { Skeleton } from '@mantine/core';
import { IconChartBar } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from 'react';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { LoadMore } from '../../components/load-more.tsx';
import { client } from '../../lib/client.ts';
import { loadEarlier } from '../timeline/load-earlier.ts';
import type { SessionLog } from '../timeline/session-log.ts';
import { RunDetail } from './run-detail.tsx';
import { RunTable } from './run-table.tsx';
import classes from './runs-tab.module.css';

const UsageCharts = lazy(async () => ({ default: (await import('./usage-charts.tsx')).UsageCharts }));

const PAGE = 50;

export interface RunsTabProps {
  readonly sessionId: string;
  readonly log: SessionLog;
  /** How many are unfinished; the list is loaded anew when it changes. */
  readonly running: number;
}

export function RunsTab({ sessionId, log, running }: RunsTabProps) {
  const { events } = useSyncExternalStore(log.subscribe, log.snapshot);
  const [chosen, setChosen] = useState<string | null>(null);
  useEffect(() => loadEarlier(sessionId, log), [sessionId, log]);
  const pages = useInfiniteQuery({
    queryKey: ['runs', sessionId],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      client.runs.list(sessionId, {
        limit: PAGE,
        signal,
        ...(pageParam === null ? {} : { cursor: pageParam }),
      }),
    getNextPageParam: (page) => page.next,
  });
  const { refetch } = pages;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever a run begins or ends.
  useEffect(() => void refetch(), [running, refetch]);

  if (pages.error) return <ErrorPanel error={pages.error} onRetry={() => void refetch()} />;
  if (!pages.data) return <Skeleton height={240} m="lg" />;
  const runs = pages.data.pages.flatMap((page) => page.runs);
  const [newest] = runs;
  if (!newest) {
    return (
      <EmptyState icon={<IconChartBar size={24} />} title="No runs yet">
        Each message that the engine answers is a run. What it took is shown here.
      </EmptyState>
    );
  }
  const run = runs.find(({ run_id: id }) => id === chosen) ?? newest;
  return (
    <div className={classes.scroller}>
      <div className={classes.page}>
        <Suspense fallback={<Skeleton height={220} />}>
          <UsageCharts runs={runs} events={events} />
        </Suspense>
        <RunDetail run={run} events={events} />
        <RunTable runs={runs} chosen={run.run_id} onChoose={setChosen} />
        <LoadMore pages={pages} />
      </div>
    </div>
  );
}
