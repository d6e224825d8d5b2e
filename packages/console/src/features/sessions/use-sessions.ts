import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { client } from '../../lib/client.ts';
import type { SessionStatus, SessionSummary } from '../../lib/protocol.ts';
import { queries } from '../../lib/query.ts';

const PAGE = 50;
const RECENT = 30;
const SESSIONS_KEY = 'sessions';

/** The sessions of the caller, newest first, page by page. */
export function useSessions(status: SessionStatus | null) {
  return useInfiniteQuery({
    queryKey: [SESSIONS_KEY, 'pages', status],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      client.sessions.list({
        limit: PAGE,
        signal,
        ...(pageParam === null ? {} : { cursor: pageParam }),
        ...(status === null ? {} : { status }),
      }),
    getNextPageParam: (page) => page.next,
    // All pages are loaded anew at once, so not those of somebody who went far down.
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 2 ? false : 15_000),
  });
}

export function useRecentSessions(): readonly SessionSummary[] {
  const { data } = useQuery({
    queryKey: [SESSIONS_KEY, 'recent'],
    queryFn: ({ signal }) => client.sessions.list({ limit: RECENT, signal }),
    refetchInterval: 15_000,
  });
  return data?.sessions ?? [];
}

export function refreshSessions(): Promise<void> {
  return queries.invalidateQueries({ queryKey: [SESSIONS_KEY] });
}

/** By name, by id, and by what the application keeps with it. */
export function matches(session: SessionSummary, search: string): boolean {
  const wanted = search.trim().toLowerCase();
  if (wanted === '') return true;
  const { name = '', session_id: id, metadata } = session;
  return [name, id, metadata ? JSON.stringify(metadata) : ''].some((text) =>
    text.toLowerCase().includes(wanted),
  );
}

/** Who the application says the session belongs to. */
export function ownerOf({ metadata }: SessionSummary): string | null {
  for (const key of ['owner', 'user', 'user_id']) {
    const value = metadata?.[key];
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}
