import { Button, Group, Modal, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { ErrorPanel } from '../../components/error-panel.tsx';
import { defaultEngine, useEngines } from '../../lib/engines.ts';
import { errorCode, fieldErrors } from '../../lib/errors.ts';
import { useCreateSession } from './use-create-session.ts';

export interface NewSessionDialogProps {
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function NewSessionDialog({ opened, onClose }: NewSessionDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="New session">
      <NewSessionForm onClose={onClose} />
    </Modal>
  );
}

function NewSessionForm({ onClose }: { readonly onClose: () => void }) {
  const { engines } = useEngines();
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<string | null>(null);
  const create = useCreateSession();
  const engineType = chosen ?? defaultEngine(engines);
  const fields = fieldErrors(create.error);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({ name, engineType }, { onSuccess: onClose });
      }}
    >
      <Stack gap="md">
        <TextInput
          label="Name"
          description="So that you find it again. You can leave it empty."
          value={name}
          maxLength={200}
          error={fields.name}
          data-autofocus
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Radio.Group label="Engine" value={engineType ?? ''} onChange={setChosen} error={fields.engine_type}>
          <Stack gap="xs" mt={6}>
            {engines.map(({ engine_type: type, description }) => (
              <Radio.Card key={type} value={type} p="sm" radius="md">
                <Group wrap="nowrap" align="flex-start" gap="sm">
                  <Radio.Indicator mt={2} />
                  <div>
                    <Text fw={500}>{type}</Text>
                    <Text size="sm" className="muted">
                      {description}
                    </Text>
                  </div>
                </Group>
              </Radio.Card>
            ))}
          </Stack>
        </Radio.Group>
        {create.error && errorCode(create.error) !== 'VALIDATION_ERROR' ? (
          <ErrorPanel error={create.error} title="The session was not created" />
        ) : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create session
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
