import type { LogEvent } from '../storage/log-event.ts';
import type { Cluster, EventListener, Notice } from './types.ts';

export interface LocalClusterOptions {
  /** Told what a listener threw; nobody else notices. Must not throw. */
  readonly onListenerError: (error: unknown) => void;
}

type NoticeListener = (notice: Notice) => void;

/** The fan-out of one process: listeners are called before `publish` and `announce` return. Loses nothing. */
export function createLocalCluster(options: LocalClusterOptions): Cluster {
  const sessions = new Map<string, Set<{ readonly listener: EventListener }>>();
  const notices = new Set<{ readonly listener: NoticeListener }>();

  /**
   * Whoever was subscribed when it began hears it, unless they left meanwhile; whoever joins meanwhile does not: they
   * joined after these events, and read them from the log.
   */
  function tell<Value>(
    listeners: ReadonlySet<{ readonly listener: (value: Value) => void }>,
    value: Value,
  ): void {
    for (const entry of [...listeners]) {
      if (!listeners.has(entry)) continue;
      try {
        entry.listener(value);
      } catch (error) {
        options.onListenerError(error);
      }
    }
  }

  return {
    publish(sessionId: string, events: readonly LogEvent[]): void {
      const listeners = sessions.get(sessionId);
      if (listeners) tell(listeners, events);
    },

    subscribe(sessionId, listener) {
      // An entry of its own, so that a function which subscribes twice is two subscriptions.
      const entry = { listener };
      const listeners = sessions.get(sessionId) ?? new Set();
      sessions.set(sessionId, listeners.add(entry));
      return () => {
        listeners.delete(entry);
        if (listeners.size === 0 && sessions.get(sessionId) === listeners) sessions.delete(sessionId);
      };
    },

    announce: (notice) => tell(notices, notice),

    onNotice(listener) {
      const entry = { listener };
      notices.add(entry);
      return () => {
        notices.delete(entry);
      };
    },

    async close() {
      sessions.clear();
      notices.clear();
    },
  };
}
