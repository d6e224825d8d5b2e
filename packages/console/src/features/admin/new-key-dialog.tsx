import type { IssuedApiKey } from '@llmgine/client';
import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { client } from '../../lib/client.ts';
import { fieldErrors } from '../../lib/errors.ts';
import type { Role } from '../../lib/protocol.ts';
import { refreshKeys } from './keys-key.ts';

const ROLES: readonly { readonly value: Role; readonly label: string }[] = [
  { value: 'viewer', label: 'Viewer: reads' },
  { value: 'user', label: 'User: reads and writes' },
  { value: 'admin', label: 'Admin: everything' },
];
const DAY_MS = 86_400_000;
const ENDS = [
  { value: '', label: 'Never' },
  { value: '7', label: 'In a week' },
  { value: '30', label: 'In 30 days' },
  { value: '365', label: 'In a year' },
];

export interface NewKeyDialogProps {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onIssued: (key: IssuedApiKey) => void;
}

export function NewKeyDialog({ opened, onClose, onIssued }: NewKeyDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="New key">
      <NewKeyForm onClose={onClose} onIssued={onIssued} />
    </Modal>
  );
}

function NewKeyForm({ onClose, onIssued }: Omit<NewKeyDialogProps, 'opened'>) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('user');
  const [days, setDays] = useState('');
  const [principal, setPrincipal] = useState('');
  const create = useMutation({
    mutationFn: () =>
      client.admin.keys.create({
        name: name.trim(),
        role,
        expires_at: days === '' ? null : new Date(Date.now() + Number(days) * DAY_MS).toISOString(),
        ...(principal.trim() === '' ? {} : { principal_id: principal.trim() }),
      }),
    onSuccess: (issued) => {
      void refreshKeys();
      onClose();
      onIssued(issued);
    },
  });
  const errors = fieldErrors(create.error);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <Stack gap="md">
        <TextInput
          label="Name"
          description="What the key is for, for example “CI of the web shop”."
          required
          maxLength={200}
          value={name}
          error={errors.name}
          data-autofocus
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Select
          label="Role"
          data={ROLES}
          value={role}
          allowDeselect={false}
          error={errors.role}
          onChange={(value) => setRole(ROLES.find((one) => one.value === value)?.value ?? 'user')}
        />
        <Select
          label="Expires"
          data={ENDS}
          value={days}
          allowDeselect={false}
          error={errors.expires_at}
          onChange={(value) => setDays(value ?? '')}
        />
        <TextInput
          label="Owner"
          description="Keys of one owner see the same sessions. Empty: a new one."
          value={principal}
          error={errors.principal_id}
          onChange={(event) => setPrincipal(event.currentTarget.value)}
        />
        {create.error && Object.keys(errors).length === 0 ? (
          <ErrorPanel error={create.error} title="The key was not created" />
        ) : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending} disabled={name.trim() === ''}>
            Create key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
