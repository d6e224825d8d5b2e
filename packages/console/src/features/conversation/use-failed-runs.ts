import { useQuery } from '@tanstack/react-query';
import { client } from '../../lib/client.ts';
import type { Run } from '../../lib/protocol.ts';

const NONE: readonly Run[] = [];

/** The runs that failed or were stopped, also before the page was there. `ended` is how many the page has seen end. */
export function useFailedRuns(sessionId: string, ended: number): readonly Run[] {
  const { data } = useQuery({
    queryKey: ['failed-runs', sessionId, ended],
    queryFn: async ({ signal }) => {
      const [failed, cancelled] = await Promise.all([
        client.runs.list(sessionId, { status: 'failed', signal }),
        client.runs.list(sessionId, { status: 'cancelled', signal }),
      ]);
      return [...failed.runs, ...cancelled.runs];
    },
    placeholderData: (before) => before,
  });
  return data ?? NONE;
}
