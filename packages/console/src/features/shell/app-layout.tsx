import { ActionIcon, Drawer, Skeleton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMenu2 } from '@tabler/icons-react';
import { Suspense, useEffect, useState } from 'react';
import { ErrorBoundary } from 'react-error-boundary';
import { Outlet, useLocation, useNavigate } from 'react-router';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { useMay } from '../../lib/auth.ts';
import { useShortcuts } from '../../lib/use-shortcuts.ts';
import { NewSessionContext } from '../sessions/new-session-context.ts';
import { NewSessionDialog } from '../sessions/new-session-dialog.tsx';
import classes from './app-layout.module.css';
import { Logo } from './logo.tsx';
import { ShortcutHelp } from './shortcut-help.tsx';
import { Sidebar } from './sidebar.tsx';

/** The frame of every page: navigation at the side, on a phone in a drawer, and the keys that work everywhere. */
export function AppLayout() {
  const [menu, menuState] = useDisclosure(false);
  const [help, helpState] = useDisclosure(false);
  const [creating, setCreating] = useState(false);
  const location = useLocation();
  const navigate = useNavigate();
  const mayWrite = useMay('sessions:write');
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever the page changes.
  useEffect(() => menuState.close(), [location.pathname]);
  useShortcuts({
    '?': helpState.open,
    n: () => mayWrite && setCreating(true),
    '/': () => {
      const field = document.querySelector<HTMLInputElement>('[data-search]');
      if (field) field.focus();
      else void navigate('/', { state: { search: true } });
    },
  });
  return (
    <NewSessionContext value={() => setCreating(true)}>
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <div className={classes.shell}>
        <aside className={classes.side} aria-label="Sidebar">
          <Sidebar onHelp={helpState.open} />
        </aside>
        <nav className={classes.topbar} aria-label="Top">
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label="Open navigation"
            onClick={menuState.open}
          >
            <IconMenu2 size={20} />
          </ActionIcon>
          <Logo />
        </nav>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard has to reach it. */}
        <main id="main" tabIndex={0} className={classes.main}>
          <ErrorBoundary
            resetKeys={[location.pathname]}
            fallbackRender={({ error, resetErrorBoundary }) => (
              <div className={classes.page}>
                <ErrorPanel error={error} title="This page broke" onRetry={resetErrorBoundary} />
              </div>
            )}
          >
            <Suspense fallback={<PageSkeleton />}>
              <Outlet />
            </Suspense>
          </ErrorBoundary>
        </main>
      </div>
      <Drawer
        opened={menu}
        onClose={menuState.close}
        size={280}
        title="Navigation"
        styles={{ body: { padding: 0 } }}
      >
        <div className={classes.drawer}>
          <Sidebar onHelp={helpState.open} />
        </div>
      </Drawer>
      <ShortcutHelp opened={help} onClose={helpState.close} />
      <NewSessionDialog opened={creating} onClose={() => setCreating(false)} />
    </NewSessionContext>
  );
}

function PageSkeleton() {
  return (
    <div className={classes.page} aria-hidden>
      <Skeleton height={28} width={180} mb="lg" />
      <Skeleton height={180} />
    </div>
  );
}
