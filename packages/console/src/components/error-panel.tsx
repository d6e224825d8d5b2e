import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { errorCode, errorText } from '../lib/errors.ts';

export interface ErrorPanelProps {
  readonly error: unknown;
  readonly title?: string;
  readonly onRetry?: () => void;
}

export function ErrorPanel({ error, title = 'This could not be loaded', onRetry }: ErrorPanelProps) {
  const code = errorCode(error);
  return (
    <Alert color="red" icon={<IconAlertTriangle size={18} />} title={title} role="alert">
      <Text size="sm">{errorText(error)}</Text>
      <Group mt="xs" gap="sm">
        {onRetry ? (
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        ) : null}
        {code ? <span className="mono muted">{code}</span> : null}
      </Group>
    </Alert>
  );
}
