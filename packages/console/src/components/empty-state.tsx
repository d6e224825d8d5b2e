import { Stack, Text, ThemeIcon, Title } from '@mantine/core';
import type { ReactNode } from 'react';

export interface EmptyStateProps {
  readonly icon: ReactNode;
  readonly title: string;
  /** Whether it is all that the page has. */
  readonly isWholePage?: boolean;
  readonly children?: ReactNode;
  /** What to do about it. */
  readonly action?: ReactNode;
}

export function EmptyState({ icon, title, isWholePage = false, children, action }: EmptyStateProps) {
  return (
    <Stack align="center" gap="xs" py={64} px="md" ta="center">
      <ThemeIcon variant="light" size={48} radius="xl" aria-hidden>
        {icon}
      </ThemeIcon>
      <Title order={isWholePage ? 1 : 2} size="h2" mt="xs">
        {title}
      </Title>
      {children === undefined ? null : (
        <Text className="muted" maw={420}>
          {children}
        </Text>
      )}
      {action === undefined ? null : <div>{action}</div>}
    </Stack>
  );
}
