import { client } from '../../lib/client.ts';
import { notifyError } from '../../lib/notify.ts';
import type { SessionLog } from './session-log.ts';

/** So many pages of what was before; a log may be endless. */
const PAGES = 30;

/** Adds what is kept of the log from before. Returns what ends it. */
export function loadEarlier(sessionId: string, log: SessionLog): () => void {
  // Since then each event has come by itself.
  if (log.isWhole) return () => {};
  const over = new AbortController();
  const { signal } = over;
  const load = async () => {
    let after: string | undefined;
    for (let page = 0; page < PAGES; page++) {
      const {
        events,
        cursor,
        has_more: hasMore,
      } = await client.sessions.events(sessionId, {
        limit: 100,
        signal,
        ...(after === undefined ? {} : { after }),
      });
      log.addEarlier(events);
      if (!hasMore) {
        log.isWhole = true;
        return;
      }
      after = cursor;
    }
  };
  load().catch((error: unknown) => {
    if (!signal.aborted) notifyError(error, 'Earlier events were not loaded');
  });
  return () => over.abort();
}
