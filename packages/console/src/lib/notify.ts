import { notifications } from '@mantine/notifications';
import { errorText } from './errors.ts';

export function notifyDone(message: string): void {
  notifications.show({
    message,
    color: 'pine',
    withBorder: true,
    closeButtonProps: { 'aria-label': 'Close' },
  });
}

export function notifyError(error: unknown, title: string): void {
  notifications.show({
    title,
    message: errorText(error),
    color: 'red',
    withBorder: true,
    autoClose: 8000,
    closeButtonProps: { 'aria-label': 'Close' },
  });
}
