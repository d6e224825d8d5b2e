import type { ApiKey, IssuedApiKey } from '@llmgine/client';
import { ActionIcon, Menu, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { IconDots, IconRefresh, IconX } from '@tabler/icons-react';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { client } from '../../lib/client.ts';
import { notifyDone, notifyError } from '../../lib/notify.ts';
import classes from './admin.module.css';
import { refreshKeys } from './keys-key.ts';

export interface KeyTableProps {
  readonly keys: readonly ApiKey[];
  readonly onIssued: (key: IssuedApiKey) => void;
}

export function KeyTable({ keys, onIssued }: KeyTableProps) {
  return (
    <div className={classes.wide}>
      <table className={`table ${classes.table}`}>
        <thead>
          <tr>
            <th>Name</th>
            <th>Id</th>
            <th>Role</th>
            <th>Owner</th>
            <th>Status</th>
            <th>Last used</th>
            <th>Expires</th>
            <th>
              <span className="hidden-text">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td className={classes.strong}>{key.name}</td>
              <td className="mono">{key.id}</td>
              <td>
                {key.role}
                {key.scopes === null ? null : <div className="muted">{key.scopes.join(', ')}</div>}
              </td>
              <td>
                {key.principal_id}
                {key.tenant_id === 'default' ? null : <div className="muted">{key.tenant_id}</div>}
              </td>
              <td>
                <StatusBadge status={key.status} />
              </td>
              <td>{key.last_used_at ? <RelativeTime at={key.last_used_at} /> : 'never'}</td>
              <td>{key.expires_at ? <RelativeTime at={key.expires_at} /> : 'never'}</td>
              <td>{key.status === 'active' ? <Actions of={key} onIssued={onIssued} /> : null}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Actions({
  of: key,
  onIssued,
}: {
  readonly of: ApiKey;
  readonly onIssued: (key: IssuedApiKey) => void;
}) {
  const rotate = () =>
    modals.openConfirmModal({
      title: 'Rotate this key?',
      children: <Text size="sm">“{key.name}” gets a successor. The old key goes on for a day.</Text>,
      labels: { confirm: 'Rotate', cancel: 'Cancel' },
      onConfirm: () => {
        client.admin.keys
          .rotate(key.id)
          .then((issued) => {
            onIssued(issued);
            return refreshKeys();
          })
          .catch((error: unknown) => notifyError(error, 'The key was not rotated'));
      },
    });
  const revoke = () =>
    modals.openConfirmModal({
      title: 'Revoke this key?',
      children: (
        <Text size="sm">Whoever uses “{key.name}” is cut off within a second. This cannot be undone.</Text>
      ),
      labels: { confirm: 'Revoke key', cancel: 'Keep it' },
      confirmProps: { color: 'red' },
      onConfirm: () => {
        client.admin.keys
          .revoke(key.id)
          .then(() => {
            notifyDone('The key is revoked');
            return refreshKeys();
          })
          .catch((error: unknown) => notifyError(error, 'The key was not revoked'));
      },
    });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${key.name}`}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconRefresh size={16} />} onClick={rotate}>
          Rotate…
        </Menu.Item>
        <Menu.Item color="red" leftSection={<IconX size={16} />} onClick={revoke}>
          Revoke…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
