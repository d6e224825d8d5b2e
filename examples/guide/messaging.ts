import type { App } from '@llmgine/api';

/** For a back end that holds the application: tells everybody, or one session. Returns how many connections were told. */
export function announceClosing(app: App, sessionId?: string): number {
  const notification = {
    notification_type: 'closing',
    message: 'The shop closes in five minutes',
    minutes: 5,
  };
  return sessionId === undefined
    ? app.messaging.broadcast(notification)
    : app.messaging.sendToSession(sessionId, notification);
}

/** Who is connected, by session. */
export function whoIsThere(app: App): Map<string, number> {
  const count = new Map<string, number>();
  for (const { session_id } of app.messaging.connections()) {
    count.set(session_id, (count.get(session_id) ?? 0) + 1);
  }
  return count;
}
