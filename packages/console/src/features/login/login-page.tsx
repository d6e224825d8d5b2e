import { Alert, Button, Code, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { usePageTitle } from '../../components/page-header.tsx';
import { client, keepCsrfToken } from '../../lib/client.ts';
import { errorCode, errorText } from '../../lib/errors.ts';
import { AUTH_KEY, queries } from '../../lib/query.ts';
import { Logo } from '../shell/logo.tsx';
import classes from './login-page.module.css';

/** The key was good, and yet the browser came back without its cookie. */
class CookieNotKept extends Error {}

export function LoginPage() {
  usePageTitle('Sign in');
  const [token, setToken] = useState('');
  const login = useMutation({
    mutationFn: async (key: string) => {
      keepCsrfToken((await client.auth.login(key)).csrf_token);
      try {
        return await client.auth.session();
      } catch (error) {
        if (errorCode(error) === 'UNAUTHENTICATED') throw new CookieNotKept();
        throw error;
      }
    },
    onSuccess: (session) => {
      // What somebody else was shown.
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== AUTH_KEY[0] });
      queries.setQueryData(AUTH_KEY, session);
    },
  });
  return (
    <main className={classes.page}>
      <Paper withBorder p="xl" radius="lg" className={classes.card}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (token.trim() !== '') login.mutate(token.trim());
          }}
        >
          <Stack gap="md">
            <Logo />
            <div>
              <Title order={1}>Sign in</Title>
              <Text className="muted" mt={4}>
                This server wants to know who you are. On its machine, <Code>llmgine keys create</Code> makes
                a key.
              </Text>
            </div>
            <PasswordInput
              label="API key"
              placeholder="Paste your key"
              autoComplete="current-password"
              data-autofocus
              autoFocus
              value={token}
              error={login.error && !(login.error instanceof CookieNotKept) ? refusal(login.error) : null}
              onChange={(event) => setToken(event.currentTarget.value)}
            />
            {login.error instanceof CookieNotKept ? <CookieHelp /> : null}
            <Button type="submit" size="md" loading={login.isPending} disabled={token.trim() === ''}>
              Sign in
            </Button>
            {window.isSecureContext ? null : (
              <Text size="xs" className="muted">
                This page came without HTTPS. Browsers keep the cookie of a sign-in only from an HTTPS address
                or from this machine (localhost).
              </Text>
            )}
          </Stack>
        </form>
      </Paper>
    </main>
  );
}

function CookieHelp() {
  return (
    <Alert color="yellow" title="The key is right, but your browser did not keep the sign-in" role="alert">
      The cookie is marked “Secure”, so browsers drop it when the page comes over plain HTTP. Put HTTPS in
      front of the server, or open the console as http://localhost on its own machine.
    </Alert>
  );
}

function refusal(error: unknown): string {
  return errorCode(error) === 'UNAUTHENTICATED' ? 'The server does not know this key' : errorText(error);
}
