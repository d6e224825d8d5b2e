import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/**
 * Makes the question whether the client spoke TLS with a declared proxy, which says so in `X-Forwarded-Proto`. What others
 * say there counts for nothing.
 *
 * @param proxies Addresses and ranges, which are checked when the configuration is read.
 */
export function createTlsCheck(proxies: readonly string[]): (request: IncomingMessage) => boolean {
  if (proxies.length === 0) return () => false;
  const declared = new BlockList();
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    declared.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return ({ headers, socket }) => {
    const peer = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
    const family = isIP(peer);
    if (family === 0 || !declared.check(peer, family === 6 ? 'ipv6' : 'ipv4')) return false;
    const said = [headers['x-forwarded-proto'] ?? ''].flat().join(',');
    // The last one is the nearest proxy's; what stands before it may be the client's.
    return said.split(',').at(-1)?.trim().toLowerCase() === 'https';
  };
}
