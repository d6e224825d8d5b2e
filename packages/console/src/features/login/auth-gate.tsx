import { Center, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { AuthContext } from '../../lib/auth.ts';
import { client, keepCsrfToken } from '../../lib/client.ts';
import { errorCode } from '../../lib/errors.ts';
import { AUTH_KEY } from '../../lib/query.ts';
import { LoginPage } from './login-page.tsx';

/** Shows the page to whoever the server knows, and asks everybody else for a key. */
export function AuthGate({ children }: { readonly children: ReactNode }) {
  const auth = useQuery({
    queryKey: AUTH_KEY,
    queryFn: async ({ signal }) => {
      const session = await client.auth.session({ signal });
      keepCsrfToken(session.csrf_token);
      return session;
    },
    staleTime: 60_000,
  });
  // Also when somebody was known before: the cookie has ended.
  if (errorCode(auth.error) === 'UNAUTHENTICATED') return <LoginPage />;
  if (auth.data) return <AuthContext value={auth.data}>{children}</AuthContext>;
  if (auth.error) {
    return (
      <Center mih="100dvh" p="md">
        <ErrorPanel
          error={auth.error}
          title="The server does not answer"
          onRetry={() => void auth.refetch()}
        />
      </Center>
    );
  }
  return (
    <Center mih="100dvh" role="status">
      <Loader size="sm" />
      <span className="hidden-text">Loading</span>
    </Center>
  );
}
