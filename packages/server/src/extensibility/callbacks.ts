import type { ClientConnection } from '../handlers/types.ts';
import type { SessionService } from '../sessions/service.ts';
import type { SessionKey, SessionRow } from '../storage/types.ts';
import type { Gateway } from '../ws/gateway.ts';

/** Told about what happens; nothing waits for them. One that fails is logged and disturbs nobody. */
export interface ApplicationCallbacks {
  /** A client has connected to a session. */
  onConnect?(connection: ClientConnection): void | Promise<void>;
  /** Its connection has ended, for whatever reason. The session goes on. */
  onDisconnect?(connection: ClientConnection): void | Promise<void>;
  onSessionCreated?(session: SessionRow): void | Promise<void>;
  /** The session is gone: nothing of it can be read any more. */
  onSessionClosed?(session: SessionKey, reason: 'deleted' | 'expired'): void | Promise<void>;
}

interface Application {
  readonly gateway: Pick<Gateway, 'onEvent'>;
  readonly sessions: Pick<SessionService, 'onEvent'>;
  readonly report: (stage: string, error: unknown) => void;
}

export function connectCallbacks(
  callbacks: readonly ApplicationCallbacks[],
  { gateway, sessions, report }: Application,
): void {
  const watch = (name: string, call: () => void | Promise<void>) => {
    // An async function fails after it has returned: nobody else would see that.
    const run = async () => call();
    run().catch((error: unknown) => report(`${name} callback`, error));
  };
  for (const one of callbacks) {
    gateway.onEvent({
      onConnect: (connection) => watch('onConnect', () => one.onConnect?.(connection)),
      onDisconnect: (connection) => watch('onDisconnect', () => one.onDisconnect?.(connection)),
    });
    sessions.onEvent({
      onCreated: (session) => watch('onSessionCreated', () => one.onSessionCreated?.(session)),
      onClosed: (key, reason) => watch('onSessionClosed', () => one.onSessionClosed?.(key, reason)),
    });
  }
}
