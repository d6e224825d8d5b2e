import { type Session, SessionView, type ViewSnapshot } from '@llmgine/client';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { client } from '../../lib/client.ts';
import { SessionLog } from '../timeline/session-log.ts';

export interface LiveSession {
  readonly session: Session;
  readonly view: SessionView;
  readonly log: SessionLog;
}

/** The session of a page: connected as long as the page shows it. */
export function useLiveSession(sessionId: string): LiveSession | null {
  const [live, setLive] = useState<LiveSession | null>(null);
  useEffect(() => {
    const session = client.session(sessionId);
    // Before the view connects it: the first frames are worth seeing, too.
    const log = new SessionLog(session);
    const view = new SessionView(session);
    setLive({ session, view, log });
    return () => {
      view.close();
      log.close();
      session.close();
      setLive(null);
    };
  }, [sessionId]);
  return live?.session.id === sessionId ? live : null;
}

export function useSnapshot(view: SessionView): ViewSnapshot {
  return useSyncExternalStore(view.subscribe, view.snapshot);
}
