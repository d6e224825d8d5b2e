import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ApiError } from '@llmgine/protocol';
import type { APIConfig } from '../../config.ts';
import { isLocalHost, isLocalOrigin } from '../local-origin.ts';
import { isOwnOrigin } from '../origin.ts';

const READS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether a request changes nothing, so that a page from elsewhere that sends it gets nothing done. */
export function isRead({ method }: Pick<IncomingMessage, 'method'>): boolean {
  return READS.has(method);
}

/**
 * Throws `FORBIDDEN` for a request that a page from elsewhere has sent: a browser adds cookies by itself. What a browser
 * says of where a request comes from no page can forge, and `SameSite` should have kept the cookie back already. A socket
 * and a stream of events have to say that they are the server's own, because no answer to a token protects them.
 */
export function assertOwnPage(request: IncomingMessage, config: APIConfig): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (site === 'cross-site') refuse();
  if (origin !== undefined) {
    if (!mayUseCookies(origin, request.headers, config)) refuse();
    return;
  }
  if (isUpgrade(request.headers)) refuse();
  if (site === 'same-site' && !isRead(request)) refuse();
  if (isEventStream(request) && site !== 'same-origin') refuse();
}

/** A page of this machine's own may use the cookie of a server on this machine, not that of any other. */
function mayUseCookies(origin: string, { host = '' }: IncomingHttpHeaders, { values }: APIConfig): boolean {
  if (isOwnOrigin(origin, host) || values.corsOrigins.includes(origin)) return true;
  return isLocalOrigin(origin) && isLocalHost(host);
}

function isUpgrade({ upgrade }: IncomingHttpHeaders): boolean {
  return upgrade?.toLowerCase() === 'websocket';
}

function isEventStream(request: IncomingMessage): boolean {
  return isRead(request) && (request.headers.accept ?? '').toLowerCase().includes('text/event-stream');
}

function refuse(): never {
  throw new ApiError('FORBIDDEN', 'The cookie of a browser is for pages of this server only');
}
