import { QueryCache, QueryClient } from '@tanstack/react-query';
import { errorCode } from './errors.ts';

export const AUTH_KEY = ['auth'] as const;

const PERMANENT = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'SESSION_NOT_FOUND',
  'VALIDATION_ERROR',
]);

/** What is loaded over REST, kept for all pages. A cookie that has ended brings the login page back. */
export const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (errorCode(error) === 'UNAUTHENTICATED' && query.queryKey[0] !== AUTH_KEY[0]) {
        void queries.invalidateQueries({ queryKey: AUTH_KEY });
      }
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5000,
      retry: (failures, error) => failures < 2 && !PERMANENT.has(errorCode(error) ?? ''),
    },
  },
});
