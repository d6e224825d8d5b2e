import { useMutation } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { client } from '../../lib/client.ts';
import { refreshSessions } from './use-sessions.ts';

export interface NewSession {
  readonly name: string;
  readonly engineType: string | null;
}

/** Makes a session and goes there, with the cursor where one writes. */
export function useCreateSession() {
  const navigate = useNavigate();
  return useMutation({
    mutationFn: ({ name, engineType }: NewSession) =>
      client.sessions.create({
        ...(name.trim() === '' ? {} : { name: name.trim() }),
        ...(engineType === null ? {} : { engine_type: engineType }),
      }),
    onSuccess: ({ session_id: id }) => {
      void refreshSessions();
      void navigate(`/sessions/${id}`, { state: { write: true } });
    },
  });
}
