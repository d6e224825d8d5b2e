import type { Session, SessionState } from '@llmgine/client';
import { ActionIcon, Button, Menu } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import {
  IconArrowLeft,
  IconCopy,
  IconCpu,
  IconDots,
  IconDownload,
  IconGitFork,
  IconTrash,
} from '@tabler/icons-react';
import { Link, useNavigate } from 'react-router';
import { useMay } from '../../lib/auth.ts';
import { count, money, shortId } from '../../lib/format.ts';
import type { SessionDetail } from '../../lib/protocol.ts';
import { confirmDelete } from '../sessions/confirm-delete.tsx';
import { ConnectionBadge } from './connection-badge.tsx';
import { downloadSession } from './download-session.ts';
import classes from './session-header.module.css';

export interface SessionHeaderProps {
  readonly session: Session;
  readonly name: string;
  readonly detail: SessionDetail | null;
  readonly connection: SessionState;
  readonly engineType: string | null;
  readonly onOpenEngine: () => void;
  readonly onFork: () => void;
}

export function SessionHeader(props: SessionHeaderProps) {
  const { session, name, detail, connection, engineType, onOpenEngine, onFork } = props;
  const navigate = useNavigate();
  const clipboard = useClipboard();
  const mayWrite = useMay('sessions:write');
  const parent = detail?.forked_from;
  const usage = detail?.usage;
  return (
    <header className={classes.header}>
      <Link to="/" className={classes.back} aria-label="Back to the sessions">
        <IconArrowLeft size={20} />
      </Link>
      <div className={classes.words}>
        <h1 className={`truncate ${classes.name}`}>{name}</h1>
        <div className={classes.facts}>
          <ConnectionBadge state={connection} />
          <span className={`mono ${classes.extra}`}>{shortId(session.id)}</span>
          {usage ? (
            <span className={`numbers ${classes.extra}`}>
              {count(usage.total_tokens)} tokens
              {usage.cost === undefined ? '' : ` · cost ${money(usage.cost)}`}
            </span>
          ) : null}
          {parent ? (
            <Link to={`/sessions/${parent.session_id}`} className={classes.extra}>
              Fork of {shortId(parent.session_id)}
            </Link>
          ) : null}
        </div>
      </div>
      <Button
        variant="default"
        size="xs"
        leftSection={<IconCpu size={16} />}
        className={classes.engine}
        aria-label={`Engine of the session: ${engineType ?? 'No engine'}`}
        onClick={onOpenEngine}
      >
        <span className="truncate">{engineType ?? 'No engine'}</span>
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label="More actions">
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {mayWrite ? (
            <Menu.Item leftSection={<IconGitFork size={16} />} onClick={onFork}>
              Fork
            </Menu.Item>
          ) : null}
          <Menu.Item
            leftSection={<IconDownload size={16} />}
            onClick={() => void downloadSession(session.id)}
          >
            Export
          </Menu.Item>
          <Menu.Item leftSection={<IconCopy size={16} />} onClick={() => clipboard.copy(session.id)}>
            Copy the session id
          </Menu.Item>
          {mayWrite ? (
            <>
              <Menu.Divider />
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} />}
                onClick={() => confirmDelete({ session_id: session.id, name }, () => void navigate('/'))}
              >
                Delete…
              </Menu.Item>
            </>
          ) : null}
        </Menu.Dropdown>
      </Menu>
    </header>
  );
}
