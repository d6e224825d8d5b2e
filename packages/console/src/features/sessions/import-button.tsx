import { Button, FileButton } from '@mantine/core';
import { IconUpload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { client } from '../../lib/client.ts';
import { notifyDone, notifyError } from '../../lib/notify.ts';
import { refreshSessions } from './use-sessions.ts';

/** Makes a session of a file that an export gave. */
export function ImportButton() {
  const navigate = useNavigate();
  const load = useMutation({
    mutationFn: (file: File) => client.sessions.import(file),
    onSuccess: ({ session_id: id }) => {
      notifyDone('The session is imported');
      void refreshSessions();
      void navigate(`/sessions/${id}`);
    },
    onError: (error) => notifyError(error, 'The file was not imported'),
  });
  return (
    <FileButton accept=".jsonl,application/jsonl" onChange={(file) => file && load.mutate(file)}>
      {(props) => (
        <Button {...props} variant="default" leftSection={<IconUpload size={16} />} loading={load.isPending}>
          Import
        </Button>
      )}
    </FileButton>
  );
}
