import { MantineProvider } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy } from 'react';
import { BrowserRouter, Navigate, Route, Routes } from 'react-router';
import { AuthGate } from './features/login/auth-gate.tsx';
import { AppLayout } from './features/shell/app-layout.tsx';
import { pageNonce } from './lib/nonce.ts';
import { queries } from './lib/query.ts';
import { theme } from './theme.ts';

const SessionsPage = lazy(async () => ({
  default: (await import('./features/sessions/sessions-page.tsx')).SessionsPage,
}));
const SessionPage = lazy(async () => ({
  default: (await import('./features/conversation/session-page.tsx')).SessionPage,
}));
const ServerPage = lazy(async () => ({
  default: (await import('./features/server/server-page.tsx')).ServerPage,
}));
const KeysPage = lazy(async () => ({
  default: (await import('./features/admin/keys-page.tsx')).KeysPage,
}));
const AuditPage = lazy(async () => ({
  default: (await import('./features/admin/audit-page.tsx')).AuditPage,
}));

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={pageNonce}>
      <QueryClientProvider client={queries}>
        <ModalsProvider>
          <Notifications position="top-right" />
          <BrowserRouter basename="/console">
            <AuthGate>
              <Routes>
                <Route element={<AppLayout />}>
                  <Route index element={<SessionsPage />} />
                  <Route path="sessions/:sessionId/:tab?" element={<SessionPage />} />
                  <Route path="server" element={<ServerPage />} />
                  <Route path="keys" element={<KeysPage />} />
                  <Route path="audit" element={<AuditPage />} />
                  <Route path="*" element={<Navigate to="/" replace />} />
                </Route>
              </Routes>
            </AuthGate>
          </BrowserRouter>
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
