import { Badge } from '@mantine/core';

const COLORS: Readonly<Record<string, string>> = {
  running: 'pine',
  queued: 'gray',
  idle: 'gray',
  awaiting_input: 'yellow',
  completed: 'pine',
  failed: 'red',
  cancelled: 'gray',
  active: 'pine',
  ready: 'pine',
  healthy: 'pine',
  connecting: 'yellow',
  down: 'red',
  expired: 'gray',
  revoked: 'gray',
  disabled: 'gray',
  success: 'pine',
  refused: 'red',
};

/** A state of the server's, in words; the colour only repeats it. */
export function StatusBadge({ status }: { readonly status: string }) {
  return (
    <Badge color={COLORS[status] ?? 'gray'} size="md" miw="max-content">
      {status.replaceAll('_', ' ')}
    </Badge>
  );
}
