import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { client } from '../../lib/client.ts';
import { notifyDone, notifyError } from '../../lib/notify.ts';
import { refreshSessions } from './use-sessions.ts';

export interface DeletedSession {
  readonly session_id: string;
  readonly name?: string | undefined;
}

/** Asks, and deletes when the answer is yes. */
export function confirmDelete(session: DeletedSession, onDeleted?: () => void): void {
  modals.openConfirmModal({
    title: 'Delete this session?',
    children: (
      <Text size="sm">
        “{session.name ?? session.session_id.slice(0, 8)}” goes with its messages, runs and files. What runs
        now is cancelled. This cannot be undone.
      </Text>
    ),
    labels: { confirm: 'Delete session', cancel: 'Keep it' },
    confirmProps: { color: 'red' },
    onConfirm: () => {
      client.sessions
        .delete(session.session_id)
        .then(() => {
          notifyDone('The session is deleted');
          onDeleted?.();
          return refreshSessions();
        })
        .catch((error: unknown) => notifyError(error, 'The session was not deleted'));
    },
  });
}
