import type { IncomingHttpHeaders } from 'node:http';

/** Where a client that connects again wants to go on. An `EventSource` without a place yet sends it empty, or not at all. */
export function lastEventId(headers: IncomingHttpHeaders): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}
