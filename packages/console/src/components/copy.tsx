import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { IconCheck, IconCopy } from '@tabler/icons-react';

export interface CopyProps {
  readonly text: string | (() => string);
  /** What is copied, for example "Copy the code". */
  readonly label: string;
}

export function CopyIcon({ text, label }: CopyProps) {
  const clipboard = useClipboard({ timeout: 1500 });
  const name = clipboard.copied ? 'Copied' : label;
  return (
    <Tooltip label={name}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="sm"
        aria-label={name}
        onClick={() => copy(clipboard, text)}
      >
        {clipboard.copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
      </ActionIcon>
    </Tooltip>
  );
}

export function CopyButton({ text, label }: CopyProps) {
  const clipboard = useClipboard({ timeout: 1500 });
  return (
    <Button
      size="compact-xs"
      variant="default"
      leftSection={clipboard.copied ? <IconCheck size={12} /> : <IconCopy size={12} />}
      onClick={() => copy(clipboard, text)}
    >
      {clipboard.copied ? 'Copied' : label}
    </Button>
  );
}

function copy(clipboard: { copy: (value: string) => void }, text: CopyProps['text']): void {
  clipboard.copy(typeof text === 'string' ? text : text());
}
