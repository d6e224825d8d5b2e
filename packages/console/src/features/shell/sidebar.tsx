import { ActionIcon, Button, Kbd, Menu, Tooltip } from '@mantine/core';
import {
  IconActivityHeartbeat,
  IconHelp,
  IconKey,
  IconListDetails,
  IconLogout,
  IconMessages,
  IconPlus,
  IconUser,
} from '@tabler/icons-react';
import { type ReactNode, use } from 'react';
import { NavLink } from 'react-router';
import { useAuth, useMay } from '../../lib/auth.ts';
import { client, keepCsrfToken } from '../../lib/client.ts';
import { shortId } from '../../lib/format.ts';
import { AUTH_KEY, queries } from '../../lib/query.ts';
import { NewSessionContext } from '../sessions/new-session-context.ts';
import { useRecentSessions } from '../sessions/use-sessions.ts';
import { ColorSchemeSwitch } from './color-scheme-switch.tsx';
import { Logo } from './logo.tsx';
import classes from './sidebar.module.css';

export function Sidebar({ onHelp }: { readonly onHelp: () => void }) {
  const isAdmin = useMay('admin');
  const mayWrite = useMay('sessions:write');
  const openNew = use(NewSessionContext);
  return (
    <div className={classes.sidebar}>
      <div className={classes.brand}>
        <Logo />
      </div>
      {mayWrite ? (
        <Button
          className={classes.create}
          variant="default"
          justify="space-between"
          leftSection={<IconPlus size={16} />}
          rightSection={<Kbd size="xs">n</Kbd>}
          onClick={openNew}
        >
          New session
        </Button>
      ) : null}
      <nav className={classes.nav} aria-label="Main">
        <Item to="/" icon={<IconMessages size={18} />} label="Sessions" />
        <Item to="/server" icon={<IconActivityHeartbeat size={18} />} label="Server" />
        {isAdmin ? (
          <>
            <Item to="/keys" icon={<IconKey size={18} />} label="Keys" />
            <Item to="/audit" icon={<IconListDetails size={18} />} label="Audit log" />
          </>
        ) : null}
      </nav>
      <Recent />
      <footer className={classes.footer}>
        <Account />
        <span className={classes.tools}>
          <Tooltip label="Keyboard shortcuts (?)">
            <ActionIcon variant="subtle" color="gray" aria-label="Keyboard shortcuts" onClick={onHelp}>
              <IconHelp size={18} />
            </ActionIcon>
          </Tooltip>
          <ColorSchemeSwitch />
        </span>
      </footer>
    </div>
  );
}

interface ItemProps {
  readonly to: string;
  readonly icon: ReactNode;
  readonly label: string;
}

function Item({ to, icon, label }: ItemProps) {
  return (
    <NavLink to={to} end className={classes.item ?? ''}>
      {icon}
      {label}
    </NavLink>
  );
}

function Recent() {
  const recent = useRecentSessions();
  if (recent.length === 0) return <div className={classes.recent} />;
  return (
    <nav className={classes.recent} aria-label="Recent sessions">
      <div className={classes.heading}>Recent</div>
      {recent.map((session) => (
        <NavLink
          key={session.session_id}
          to={`/sessions/${session.session_id}`}
          className={classes.session ?? ''}
        >
          <span className={classes.dot} data-status={session.status} aria-hidden />
          <span className="truncate">{session.name ?? `Session ${shortId(session.session_id)}`}</span>
          {session.status === 'idle' ? null : <span className="hidden-text">{session.status}</span>}
        </NavLink>
      ))}
    </nav>
  );
}

function Account() {
  const auth = useAuth();
  const who = auth.credential === 'none' ? 'This machine' : auth.subject;
  if (auth.credential === 'none') {
    return (
      <span className={classes.account} title={`${auth.subject} · ${auth.role}`}>
        <IconUser size={16} aria-hidden />
        <span className="truncate">{who}</span>
      </span>
    );
  }
  const logout = async () => {
    await client.auth.logout();
    keepCsrfToken(null);
    queries.clear();
    await queries.invalidateQueries({ queryKey: AUTH_KEY });
    window.location.assign('/console/');
  };
  return (
    <Menu position="top-start">
      <Menu.Target>
        <Button variant="subtle" color="gray" size="compact-sm" leftSection={<IconUser size={16} />}>
          <span className={`truncate ${classes.who}`}>{who}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {auth.subject} · {auth.role}
        </Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void logout()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
