import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { SERVER_VERSION } from '../../version.ts';
import { addressesOf, type WebAccess, webAddress } from './public-web.ts';

const MAX_REDIRECTS = 5;
const MAX_URL = 2048;
const MAX_HEADERS = 16_384;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

const HEADERS = {
  accept:
    'text/html, application/xhtml+xml, text/plain, application/json, text/*;q=0.8, application/xml;q=0.8',
  'accept-encoding': 'gzip, deflate, br',
  'user-agent': `LLMgine/${SERVER_VERSION}`,
};

export interface WebAnswer {
  readonly url: URL;
  readonly status: number;
  /** The first value of a header; empty when there is none. */
  header(name: string): string;
  readonly body: Readable;
  /** MUST be called: the connection is this answer's alone. */
  close(): Promise<void>;
}

/** Gets a page, and follows redirects by hand: every address on the way is checked like the first. */
export async function openPage(text: string, access: WebAccess, signal: AbortSignal): Promise<WebAnswer> {
  let url = webAddress(text);
  for (let redirects = 0; ; redirects++) {
    const answer = await send(url, access, signal);
    const location = answer.header('location');
    if (!REDIRECTS.has(answer.status) || location === '') return answer;
    await answer.close();
    if (redirects === MAX_REDIRECTS) throw new Error(`More than ${MAX_REDIRECTS} redirects are not followed`);
    url = redirected(url, location);
  }
}

function redirected(from: URL, location: string): URL {
  const url = webAddress(location, from);
  if (url.href.length > MAX_URL) throw new Error('The redirect leads to an address that is too long');
  // Whoever listens on the way could read what was meant to be secret.
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw new Error('A redirect from https to http is not followed');
  }
  return url;
}

/** One connection for one request: nothing of it, not even the connection, is there for the next. */
async function send(url: URL, access: WebAccess, signal: AbortSignal): Promise<WebAnswer> {
  const addresses = await addressesOf(url, access, signal);
  const { Agent } = await import('undici');
  const agent = new Agent({
    allowH2: false,
    connect: { lookup: always(addresses) },
    connections: 1,
    maxHeaderSize: MAX_HEADERS,
    pipelining: 0,
  });
  // undici hears the signal of a request only once it has a connection.
  const abort = () => void agent.destroy(signal.reason as Error);
  const close = async () => {
    signal.removeEventListener('abort', abort);
    await agent.destroy();
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const path = `${url.pathname}${url.search}`;
    const got = await agent.request({ origin: url.origin, path, method: 'GET', headers: HEADERS });
    // What arrives after the connection is closed has nobody to read it.
    got.body.on('error', () => {});
    return {
      url,
      status: got.statusCode,
      header: (name) => [got.headers[name]].flat()[0] ?? '',
      body: got.body,
      close,
    };
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw connectionError(url, error);
  }
}

/** The name has been looked up and checked: whatever it would be now, these are its addresses. */
function always(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, options, callback) => {
    const fitting = all.filter(({ family }) => !options.family || options.family === family);
    const [first = all[0]] = fitting;
    if (options.all || !first) callback(null, fitting);
    else callback(null, first.address, first.family);
  };
}

/** What went wrong on the wire, for the model. */
export function connectionError(url: URL, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  return new Error(`${url.host} could not be read: ${message || code}`, { cause: error });
}
