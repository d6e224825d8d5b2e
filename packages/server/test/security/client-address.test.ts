import { describe, expect, test } from 'vitest';
import { APIConfig, ConfigError } from '../../src/config.ts';
import { createClientAddress, sourceOf } from '../../src/security/client-address.ts';

function addressOf(trustedProxies: readonly string[], peer: string | undefined, forwarded?: string): string {
  const clientAddress = createClientAddress(new APIConfig({ trustedProxies }, { env: {} }));
  return clientAddress({
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    socket: { remoteAddress: peer },
  });
}

describe('check 23: without a declared proxy the peer is the caller', () => {
  test.each([
    ['nothing is trusted', [], '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['the peer is not among the proxies', ['10.0.0.0/8'], '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['a loopback peer is nothing special', [], '127.0.0.1', '203.0.113.9', '127.0.0.1'],
    ['IPv4 in IPv6 is IPv4', [], '::ffff:192.0.2.1', undefined, '192.0.2.1'],
    ['IPv6 is canonical', [], '2001:DB8:0:0::1', undefined, '2001:db8::1'],
    ['a zone is left out', [], 'fe80::1%eth0', undefined, 'fe80::1'],
    ['the socket is gone', ['10.0.0.0/8'], undefined, '203.0.113.9', ''],
  ] as const)('%s', (_what, trusted, peer, forwarded, expected) => {
    expect(addressOf(trusted, peer, forwarded)).toBe(expected);
  });
});

describe('check 23: behind declared proxies the nearest address that is none of them is the caller', () => {
  const PROXIES = ['10.0.0.0/8', '127.0.0.1', '2001:db8:ff::/48'];
  test.each([
    ['one proxy', '203.0.113.9', '203.0.113.9'],
    ['two proxies', '203.0.113.9, 10.0.0.7', '203.0.113.9'],
    ['what the caller wrote itself stands further left', '1.2.3.4, 203.0.113.9', '203.0.113.9'],
    ['a caller that names a proxy', '10.0.0.9, 203.0.113.9, 10.0.0.7', '203.0.113.9'],
    ['a port', '203.0.113.9:4711', '203.0.113.9'],
    ['IPv6', '2001:db8::9', '2001:db8::9'],
    ['IPv6 in brackets with a port', '"[2001:db8::9]:4711"', '2001:db8::9'],
    ['IPv6 in brackets', '[2001:DB8::9]', '2001:db8::9'],
    ['IPv4 in IPv6', '::ffff:203.0.113.9', '203.0.113.9'],
    ['a proxy with an IPv6 address', '203.0.113.9, 2001:db8:ff::1', '203.0.113.9'],
    ['only proxies: the furthest', '10.0.0.8, 10.0.0.7', '10.0.0.8'],
    ['no header', undefined, '10.0.0.1'],
    ['an empty header', '', '10.0.0.1'],
    ['an empty entry', '203.0.113.9, ', '10.0.0.1'],
    ['garbage', 'unknown', '10.0.0.1'],
    ['garbage behind a proxy', '203.0.113.9, _hidden, 10.0.0.7', '10.0.0.7'],
    ['short for 0.0.0.1', '1', '10.0.0.1'],
    ['hexadecimal', '0x7f.0.0.1', '10.0.0.1'],
    ['octal', '0177.0.0.1', '10.0.0.1'],
    ['a range', '203.0.113.0/24', '10.0.0.1'],
    ['what would break a line', '203.0.113.9\u0000', '10.0.0.1'],
  ] as const)('%s', (_what, forwarded, expected) => {
    expect(addressOf(PROXIES, '10.0.0.1', forwarded)).toBe(expected);
  });

  test('a proxy on the same machine that is reached by IPv6 sockets', () => {
    expect(addressOf(PROXIES, '::ffff:127.0.0.1', '203.0.113.9')).toBe('203.0.113.9');
  });

  test('a header of many thousand entries is not read to its end', () => {
    const forwarded = ['203.0.113.9', ...Array.from({ length: 4000 }, () => '10.0.0.7')].join(',');
    expect(addressOf(PROXIES, '10.0.0.1', forwarded)).toBe('10.0.0.7');
  });
});

test.each([
  '10.0.0.0/33',
  '10.0.0',
  'proxy.example',
  '::/129',
  '10.0.0.0/8/8',
  '10.0.0.0/',
  '/8',
  'loopback',
])('a proxy that is no address and no range stops the start: %s', (proxy) => {
  const config = new APIConfig({ trustedProxies: proxy }, { env: {} });
  expect(() => createClientAddress(config)).toThrow(ConfigError);
  expect(() => createClientAddress(config)).toThrow(JSON.stringify(proxy));
});

test('a source is an address of IPv4, and a /64 of IPv6', () => {
  expect(sourceOf('192.0.2.1')).toBe('192.0.2.1');
  expect(sourceOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(sourceOf('2001:db8:1:2::1')).toBe('2001:db8:1:2::/64');
  expect(sourceOf('2001:db8:1:3::1')).not.toBe(sourceOf('2001:db8:1:2::1'));
  expect(sourceOf('::1')).toBe('0:0:0:0::/64');
  expect(sourceOf('')).toBe('');
});

test('what was found once for a request holds when its socket is gone', () => {
  const clientAddress = createClientAddress(new APIConfig({}, { env: {} }));
  const request: { headers: Record<string, string>; socket: { remoteAddress: string } | null } = {
    headers: {},
    socket: { remoteAddress: '192.0.2.1' },
  };
  expect(clientAddress(request)).toBe('192.0.2.1');
  request.socket = null;
  expect(clientAddress(request)).toBe('192.0.2.1');
  expect(clientAddress({ ...request })).toBe('');
});
