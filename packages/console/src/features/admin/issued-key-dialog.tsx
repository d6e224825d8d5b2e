import type { IssuedApiKey } from '@llmgine/client';
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { CopyButton } from '../../components/copy.tsx';
import classes from './admin.module.css';

export interface IssuedKeyDialogProps {
  readonly issued: IssuedApiKey | null;
  readonly onClose: () => void;
}

/** The only sight of a key: it is not closed by accident. */
export function IssuedKeyDialog({ issued, onClose }: IssuedKeyDialogProps) {
  return (
    <Modal
      opened={issued !== null}
      onClose={onClose}
      title="Your new key"
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack gap="md">
        <Text>Keep it in a safe place now. Nobody can show it again.</Text>
        <output className={`mono ${classes.secret}`} aria-label="Key">
          {issued?.key}
        </output>
        <Group justify="space-between">
          <CopyButton text={issued?.key ?? ''} label="Copy the key" />
          <Button onClick={onClose}>I have kept it</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
