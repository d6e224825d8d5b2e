import type { IncomingMessage } from 'node:http';
import { isLocalHost, isLocalOrigin } from './local-origin.ts';

/** What proxies, tunnels and CDNs add. One of them means that the loopback peer speaks for somebody else. */
const FORWARDING_HEADERS = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-for',
  'x-original-host',
  'x-original-forwarded-for',
  'true-client-ip',
  'cf-connecting-ip',
  'cf-ray',
  'cdn-loop',
  'fastly-client-ip',
  'fly-client-ip',
  'client-ip',
  'proxy-connection',
  'x-amzn-trace-id',
  'cf-visitor',
  'cf-ipcountry',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-appengine-user-ip',
  'x-vercel-forwarded-for',
  'x-nf-client-connection-ip',
  'tailscale-user-login',
]);
const LOOPBACK = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/i;

/** What of a request the gate looks at; an `IncomingMessage` has it. */
export type GateRequest = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'httpVersion'> & {
  readonly socket: { readonly remoteAddress?: string | undefined };
};

/** What makes a request one from elsewhere: the kind of sign, and it in words that hold no more than was sent. */
export interface ForeignSign {
  readonly kind: 'peer' | 'version' | 'forwarded' | 'host' | 'origin';
  readonly text: string;
}

/** Header names may be long. */
const MAX_NAME = 50;

/**
 * Null when the caller sits on this machine: a loopback peer, nothing that a proxy adds, and a `Host` and `Origin` of this
 * machine. `Host` stops DNS rebinding (a foreign name that points to 127.0.0.1), `Origin` stops foreign pages in the
 * browser of this machine. HTTP/1.0 is refused because old proxies speak it that add no headers.
 *
 * A proxy on this machine that speaks HTTP/1.1, adds nothing and sends a local `Host` cannot be told from a local caller:
 * behind any proxy a key has to be configured.
 */
export function foreignSign(request: GateRequest): ForeignSign | null {
  const { rawHeaders, headers } = request;
  if (!LOOPBACK.test(request.socket.remoteAddress ?? '')) {
    return { kind: 'peer', text: 'it comes from another address' };
  }
  if (request.httpVersion !== '1.1') {
    return { kind: 'version', text: `HTTP/${request.httpVersion} is what proxies speak` };
  }
  const forwarding = forwardingHeader(rawHeaders);
  if (forwarding !== undefined) {
    return {
      kind: 'forwarded',
      text: `its header ${forwarding.slice(0, MAX_NAME)} says that it was forwarded`,
    };
  }
  if (!hasLocalHost(rawHeaders)) {
    return { kind: 'host', text: 'its Host header does not name this machine' };
  }
  if (headers.origin !== undefined && !isLocalOrigin(headers.origin)) {
    return { kind: 'origin', text: 'its Origin header names a page from elsewhere' };
  }
  return null;
}

function forwardingHeader(rawHeaders: readonly string[]): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (name.startsWith('x-forwarded') || name.startsWith('x-envoy-') || FORWARDING_HEADERS.has(name))
      return rawHeaders[i];
  }
  return undefined;
}

/** Reads the raw headers, because `request.headers` shows only the first of two `Host` lines. */
function hasLocalHost(rawHeaders: readonly string[]): boolean {
  let found = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() !== 'host') continue;
    if (!isLocalHost(rawHeaders[i + 1] as string)) return false;
    found++;
  }
  return found === 1;
}
