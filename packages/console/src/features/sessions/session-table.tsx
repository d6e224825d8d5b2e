import { ActionIcon, Tooltip } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { Link } from 'react-router';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { useMay } from '../../lib/auth.ts';
import { count, money, shortId } from '../../lib/format.ts';
import type { SessionSummary } from '../../lib/protocol.ts';
import { confirmDelete } from './confirm-delete.tsx';
import classes from './session-table.module.css';
import { ownerOf } from './use-sessions.ts';

export function SessionTable({ sessions }: { readonly sessions: readonly SessionSummary[] }) {
  const hasOwners = sessions.some((session) => ownerOf(session) !== null);
  const hasCost = sessions.some((session) => session.usage?.cost !== undefined);
  const mayDelete = useMay('sessions:write');
  return (
    <table className={`table ${classes.table}`}>
      <thead>
        <tr>
          <th>Session</th>
          <th>Status</th>
          {hasOwners ? <th className={classes.wide}>Owner</th> : null}
          <th className={`${classes.number} ${classes.wide}`}>Tokens</th>
          {hasCost ? <th className={`${classes.number} ${classes.wide}`}>Cost</th> : null}
          <th className={classes.number}>Last used</th>
          {mayDelete ? (
            <th className={classes.action}>
              <span className="hidden-text">Delete</span>
            </th>
          ) : null}
        </tr>
      </thead>
      <tbody>
        {sessions.map((session) => (
          <Row
            key={session.session_id}
            session={session}
            hasOwners={hasOwners}
            hasCost={hasCost}
            mayDelete={mayDelete}
          />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly session: SessionSummary;
  readonly hasOwners: boolean;
  readonly hasCost: boolean;
  readonly mayDelete: boolean;
}

function Row({ session, hasOwners, hasCost, mayDelete }: RowProps) {
  const { session_id: id, name, status, usage } = session;
  return (
    <tr>
      <td className={classes.name}>
        <Link to={`/sessions/${id}`}>{name ?? `Session ${shortId(id)}`}</Link>
        {name === undefined ? null : <span className={`mono ${classes.id}`}>{shortId(id)}</span>}
      </td>
      <td>
        <StatusBadge status={status} />
      </td>
      {hasOwners ? <td className={classes.wide}>{ownerOf(session) ?? '–'}</td> : null}
      <td className={`${classes.number} ${classes.wide}`}>{usage ? count(usage.total_tokens) : '–'}</td>
      {hasCost ? (
        <td className={`${classes.number} ${classes.wide}`}>
          {usage?.cost === undefined ? '–' : money(usage.cost)}
        </td>
      ) : null}
      <td className={classes.number}>
        <RelativeTime at={session.last_interaction_at} />
      </td>
      {mayDelete ? (
        <td className={classes.action}>
          <Tooltip label="Delete">
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={`Delete ${name ?? `session ${shortId(id)}`}`}
              onClick={() => confirmDelete(session)}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Tooltip>
        </td>
      ) : null}
    </tr>
  );
}
