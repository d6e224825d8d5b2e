import { useQuery } from '@tanstack/react-query';
import { client } from '../../lib/client.ts';
import { errorCode } from '../../lib/errors.ts';

export function engineKey(sessionId: string) {
  return ['engine', sessionId] as const;
}

/** The engine of a session with its configuration; null: none is linked. */
export function useLinkedEngine(sessionId: string) {
  return useQuery({
    queryKey: engineKey(sessionId),
    queryFn: async ({ signal }) => {
      try {
        return await client.sessions.engine(sessionId, { signal });
      } catch (error) {
        if (errorCode(error) === 'ENGINE_NOT_LINKED') return null;
        throw error;
      }
    },
  });
}
