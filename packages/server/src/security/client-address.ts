/** From where somebody calls. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { APIConfig } from '../config.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** What of a request says from where it comes; an `IncomingMessage` has it. */
export interface AddressedRequest {
  readonly headers: IncomingHttpHeaders;
  /** Null when the request has been given up. */
  readonly socket: { readonly remoteAddress?: string | undefined } | null;
}

/**
 * The address of the caller, in its canonical form. What was found once for a request holds when its socket is gone;
 * otherwise it is empty then.
 */
export type ClientAddress = (request: AddressedRequest) => string;

/** Entries of an `X-Forwarded-For` that are read; nobody has so many proxies. */
const MAX_HOPS = 32;
/** `192.0.2.1:80`, `[2001:db8::1]` or `[2001:db8::1]:80`. */
const WITH_PORT = /^(?:(\d+(?:\.\d+){3})|\[([^\]]*)\])(?::\d{1,5})?$/;

/**
 * The peer; or, behind `trustedProxies`, the nearest address in `X-Forwarded-For` that is none of them: what stands
 * before it the caller may have written. Throws `ConfigError`.
 */
export function createClientAddress(config: APIConfig): ClientAddress {
  const ranges = config.values.trustedProxies.map((text) => toRange(text, config));
  const isTrusted = (address: Address) => ranges.some((range) => contains(range, address));
  const found = new WeakMap<AddressedRequest, string>();
  return (request) => {
    const known = found.get(request);
    if (known !== undefined) return known;
    const peer = toAddress(request.socket?.remoteAddress ?? '');
    if (!peer) return '';
    const isProxy = ranges.length > 0 && isTrusted(peer);
    const forwarded = request.headers['x-forwarded-for'];
    const address = canonical(isProxy ? nearestUntrusted(peer, forwarded, isTrusted) : peer);
    found.set(request, address);
    return address;
  };
}

/** Where an entry is no address, the proxy that passed it on is the last of whom anything is known. */
function nearestUntrusted(
  peer: Address,
  forwarded: string | readonly string[] | undefined,
  isTrusted: (address: Address) => boolean,
): Address {
  let known = peer;
  let rest = typeof forwarded === 'string' ? forwarded : (forwarded?.join(',') ?? '');
  for (let hops = 0; hops < MAX_HOPS && rest !== ''; hops++) {
    const comma = rest.lastIndexOf(',');
    const address = toAddress(withoutPort(rest.slice(comma + 1)));
    if (!address) return known;
    if (!isTrusted(address)) return address;
    known = address;
    rest = rest.slice(0, Math.max(comma, 0));
  }
  return known;
}

function withoutPort(entry: string): string {
  const text = entry.trim().replace(/^"(.*)"$/, '$1');
  const match = WITH_PORT.exec(text);
  return match?.[1] ?? match?.[2] ?? text;
}

/** Strict: the library alone would take `1`, `0x7f.1` and octal numbers for addresses. IPv4 in IPv6 is IPv4. */
function toAddress(text: string): Address | null {
  if (isIP(text) === 0) return null;
  return ipaddr.process(text.split('%', 1)[0] ?? '');
}

function canonical(address: Address): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

function toRange(text: string, config: APIConfig): Range {
  const [address = '', bits, more] = text.split('/');
  const parsed = toAddress(address);
  const max = parsed instanceof ipaddr.IPv6 ? 128 : 32;
  const length = bits === undefined ? max : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!parsed || more !== undefined || !(length <= max)) {
    throw config.refuse(
      'trustedProxies',
      `${JSON.stringify(text)} is no address and no range like 10.0.0.0/8`,
    );
  }
  return [parsed, length];
}

function contains(range: Range, address: Address): boolean {
  return range[0].kind() === address.kind() && address.match(range);
}

/** What counts as one source: a whole /64 of IPv6, because that is what one caller is given. What is no address stays. */
export function sourceOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const parts = ipaddr.IPv6.parse(address).parts.slice(0, 4);
  return `${parts.map((part) => part.toString(16)).join(':')}::/64`;
}
