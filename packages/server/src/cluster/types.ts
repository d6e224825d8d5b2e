import type { LogEvent } from '../storage/log-event.ts';

/** Something that every process which serves a session has to know. */
export type Notice = {
  readonly kind: 'session_closed';
  readonly sessionId: string;
  readonly reason: 'deleted' | 'expired';
};

export type EventListener = (events: readonly LogEvent[]) => void;

/**
 * Carries committed events and notices to whoever listens. It is a wake-up, not a source: an implementation MAY lose
 * events (listeners see the gap in `seq` and read the log), and MUST deliver those of one session in order. It MUST NOT
 * let a listener that throws disturb the publisher or other listeners.
 */
export interface Cluster {
  /** No events at all mean: there may be some that were not published, look into the log. */
  publish(sessionId: string, events: readonly LogEvent[]): void;
  /** Returns the function that ends the subscription. */
  subscribe(sessionId: string, listener: EventListener): () => void;
  announce(notice: Notice): void;
  onNotice(listener: (notice: Notice) => void): () => void;
  close(): Promise<void>;
}
