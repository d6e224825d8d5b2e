import { client } from '../../lib/client.ts';
import { notifyDone, notifyError } from '../../lib/notify.ts';
import { refreshSessions } from '../sessions/use-sessions.ts';

/** Makes a session that begins with the messages of another, and goes on by itself. */
export function forkSession(
  sessionId: string,
  name: string | undefined,
  messageId: string | undefined,
  onForked: (id: string) => void,
): void {
  client.sessions
    .fork(sessionId, {
      ...(messageId === undefined ? {} : { at: messageId }),
      ...(name === undefined ? {} : { name: `${name.slice(0, 190)} (fork)` }),
    })
    .then(({ session_id: id }) => {
      notifyDone('This is the fork now');
      void refreshSessions();
      onForked(id);
    })
    .catch((error: unknown) => notifyError(error, 'The session was not forked'));
}
