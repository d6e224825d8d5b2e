/** What may be fetched from: the public web, and nothing that only this machine can reach. */
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

export interface WebGuard {
  /** Whether a connection to this address may be opened. */
  allows(address: string, port: number): boolean;
}

/** The addresses of a host; none when it does not exist. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

const PORTS: ReadonlySet<number> = new Set([80, 443]);
/** What is not given out here is special or will be. */
const GIVEN_OUT = ipaddr.IPv6.parseCIDR('2000::/3');
/** Looks public, and is what virtual machines in Azure get their settings from. */
const AZURE_HOST = '168.63.129.16';

/** A table of what is allowed, not of what is not: an address of a kind that nobody thought of is refused. */
export function isPublicAddress(address: string): boolean {
  if (!isIP(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv6 ? parsed.match(GIVEN_OUT) : parsed.toString() !== AZURE_HOST;
}

/** From itself a machine reaches what its firewall keeps from the rest of the world. */
function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((some) => some?.map(({ address }) => address) ?? []);
}

export function publicWeb(own: () => readonly string[] = ownAddresses): WebGuard {
  return {
    allows: (address, port) =>
      PORTS.has(port) && isPublicAddress(address) && !own().some((one) => sameAddress(one, address)),
  };
}

function sameAddress(one: string, other: string): boolean {
  return (
    ipaddr.isValid(one) && ipaddr.parse(one).toNormalizedString() === ipaddr.parse(other).toNormalizedString()
  );
}

/**
 * Looks names up in the DNS. Not as the system does it: that reads the machine's own table of hosts, tries its own domains,
 * and keeps one of the process's four threads while a name server is silent.
 */
export function dnsResolve(servers?: readonly string[]): Resolve {
  return async (host, signal) => {
    signal.throwIfAborted();
    const resolver = new Resolver({ timeout: 2000, tries: 2 });
    if (servers) resolver.setServers(servers);
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      signal.throwIfAborted();
      const addresses = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
      const failed = found.find((one) => one.status === 'rejected' && !MISSING.has(one.reason.code));
      if (addresses.length === 0 && failed?.status === 'rejected') {
        throw new Error(`The name ${host} could not be looked up`, { cause: failed.reason });
      }
      return addresses;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}

const MISSING: ReadonlySet<string> = new Set(['ENODATA', 'ENOTFOUND', 'EBADNAME']);

export interface WebAccess {
  readonly guard: WebGuard;
  readonly resolve: Resolve;
}

/**
 * Parses an address that somebody wants to fetch. Throws for what is not http or https, and for credentials, which would go
 * to whoever has the host.
 */
export function webAddress(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new Error('Only addresses that begin with http:// or https:// are fetched');
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error('Addresses with a user name or a password are not fetched');
  }
  url.hash = '';
  return url;
}

/**
 * The addresses that a URL may be fetched from. One that is not allowed is enough to refuse the host. The caller MUST
 * connect to these: looking the name up again would get another answer.
 */
export async function addressesOf(
  url: URL,
  { guard, resolve }: WebAccess,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) ? [host] : await resolve(host, signal);
  if (addresses.length === 0) throw new Error(`There is no host ${host}`);
  if (!addresses.every((address) => guard.allows(address, port))) {
    throw new Error(`${url.host} is not on the public web, so it is not fetched`);
  }
  return addresses;
}
