import { describe, expect, test } from 'vitest';
import {
  addressesOf,
  dnsResolve,
  isPublicAddress,
  publicWeb,
  webAddress,
} from '../../../src/tools/fetch-url/public-web.ts';
import { nameServer } from './web-server.ts';

const never = () => new AbortController().signal;
const noNames = async () => [];

describe('check 27 (ASVS 1.3.6): an address', () => {
  test.each(['8.8.8.8', '1.1.1.1', '93.184.215.14', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  test.each([
    ['0.0.0.0', 'this machine'],
    ['0.1.2.3', 'this network'],
    ['10.0.0.1', 'private'],
    ['10.255.255.255', 'private'],
    ['100.64.0.1', 'of a provider'],
    ['100.100.100.200', 'metadata in Alibaba Cloud'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['168.63.129.16', 'settings in Azure'],
    ['169.254.0.1', 'link-local'],
    ['169.254.169.254', 'metadata in most clouds'],
    ['169.254.170.2', 'credentials of containers in AWS'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.192', 'metadata in Oracle Cloud'],
    ['192.0.2.1', 'documentation'],
    ['192.88.99.1', '6to4 relays'],
    ['192.168.1.1', 'private'],
    ['198.18.0.1', 'benchmarks'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.250', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'this machine'],
    ['::1', 'loopback'],
    ['::7f00:1', 'loopback in an old form'],
    ['::ffff:127.0.0.1', 'loopback, mapped'],
    ['::ffff:169.254.169.254', 'metadata, mapped'],
    ['::ffff:8.8.8.8', 'mapped'],
    ['::ffff:0:127.0.0.1', 'translated'],
    ['64:ff9b::7f00:1', 'loopback through NAT64'],
    ['64:ff9b::a9fe:a9fe', 'metadata through NAT64'],
    ['64:ff9b:1::7f00:1', 'local NAT64'],
    ['100::1', 'discarded'],
    ['100:0:0:1::1', 'a dummy'],
    ['2001::1', 'Teredo'],
    ['2001:0:7f00:1::', 'Teredo'],
    ['2001:2::1', 'benchmarks'],
    ['2001:10::1', 'ORCHID'],
    ['2001:20::1', 'ORCHID'],
    ['2001:db8::1', 'documentation'],
    ['2002:7f00:1::', 'loopback through 6to4'],
    ['2002:a9fe:a9fe::1', 'metadata through 6to4'],
    ['3fff::1', 'documentation'],
    ['4000::1', 'not given out'],
    ['5f00::1', 'segment routing'],
    ['fc00::1', 'private'],
    ['fd00:ec2::254', 'metadata in AWS'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['fec0::1', 'site-local'],
    ['ff02::1', 'multicast'],
    ['', 'nothing'],
    ['localhost', 'a name'],
    ['8.8.8', 'not whole'],
  ])('%s is not: %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test('of this machine itself is refused although it is public', () => {
    const guard = publicWeb(() => ['8.8.8.8', '2606:4700::1111', 'fe80::1%eth0']);

    expect(guard.allows('8.8.8.8', 443)).toBe(false);
    expect(guard.allows('2606:4700:0:0::1111', 443)).toBe(false);
    expect(guard.allows('8.8.4.4', 443)).toBe(true);
  });

  test.each([
    [80, true],
    [443, true],
    [22, false],
    [25, false],
    [6379, false],
    [8080, false],
  ])('with port %i: %s', (port, allowed) => {
    expect(publicWeb().allows('8.8.8.8', port)).toBe(allowed);
  });
});

describe('check 27 (ASVS 1.3.6): a URL', () => {
  /** Every way to write an address that is not public. */
  test.each([
    'http://127.0.0.1/',
    'http://127.0.0.1./',
    'http://127.1/',
    'http://0177.0.0.1/',
    'http://0x7f.0.0.1/',
    'http://0x7f000001/',
    'http://2130706433/',
    'http://017700000001/',
    'http://127.0.0.1:443/',
    'http://%31%32%37.0.0.1/',
    'http://１２７.０.０.１/',
    'http://①②⑦.0.0.1/',
    'http://127。0。0。1/',
    'http:127.0.0.1',
    'http:\\\\127.0.0.1\\',
    ' \thttp://127.0.0.1/',
    'http://0/',
    'http://0.0.0.0/',
    'http://169.254.169.254/latest/meta-data/',
    'http://2852039166/',
    'http://0xA9FEA9FE/',
    'http://0251.0376.0251.0376/',
    'http://[::1]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[0:0:0:0:0:ffff:a9fe:a9fe]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://[fe80::1]/',
    'http://[fd00:ec2::254]/',
    'https://8.8.8.8:22/',
    'http://8.8.8.8:6379/',
  ])('%s is not on the public web', async (text) => {
    const url = webAddress(text);

    await expect(addressesOf(url, { guard: publicWeb(), resolve: noNames }, never())).rejects.toThrow(
      'is not on the public web, so it is not fetched',
    );
  });

  test.each([
    ['file:///etc/passwd', 'Only addresses that begin with'],
    ['ftp://example.com/', 'Only addresses that begin with'],
    ['gopher://127.0.0.1:6379/_FLUSHALL', 'Only addresses that begin with'],
    ['data:text/html,hello', 'Only addresses that begin with'],
    ['javascript:alert(1)', 'Only addresses that begin with'],
    ['blob:http://example.com/1', 'Only addresses that begin with'],
    ['ws://example.com/', 'Only addresses that begin with'],
    ['unix:/var/run/docker.sock', 'Only addresses that begin with'],
    ['example.com', 'Only addresses that begin with'],
    ['//example.com', 'Only addresses that begin with'],
    ['/etc/passwd', 'Only addresses that begin with'],
    ['', 'Only addresses that begin with'],
    ['http://', 'Only addresses that begin with'],
    ['http://[::1', 'Only addresses that begin with'],
    ['http://[fe80::1%25eth0]/', 'Only addresses that begin with'],
    ['http://1.2.3.4.5/', 'Only addresses that begin with'],
    ['http://a b/', 'Only addresses that begin with'],
    ['http://user@example.com/', 'with a user name or a password'],
    ['http://:secret@example.com/', 'with a user name or a password'],
    ['http://example.com@127.0.0.1/', 'with a user name or a password'],
  ])('%s is refused', (text, message) => {
    expect(() => webAddress(text)).toThrow(message);
  });

  test('loses its fragment, which is nothing that a server reads', () => {
    expect(webAddress('https://example.com/a?b=c#d').href).toBe('https://example.com/a?b=c');
  });
});

describe('check 27 (ASVS 1.3.6): a name', () => {
  const url = new URL('https://example.test/');

  test('has the addresses that a name server says', async () => {
    const { servers, asked } = await nameServer(() => ['8.8.8.8', '8.8.4.4']);

    const addresses = await addressesOf(url, { guard: publicWeb(), resolve: dnsResolve(servers) }, never());

    expect([...addresses].sort()).toEqual(['8.8.4.4', '8.8.8.8']);
    expect(asked).toEqual(['example.test']);
  });

  test.each([
    ['private', ['10.0.0.1']],
    ['loopback', ['127.0.0.1']],
    ['that of metadata', ['169.254.169.254']],
    ['private beside a public one', ['8.8.8.8', '192.168.0.1']],
    ['private before public ones', ['192.168.0.1', '8.8.8.8', '8.8.4.4']],
  ])('is refused when an address of it is %s', async (_what, addresses) => {
    const { servers } = await nameServer(() => addresses);

    const refused = addressesOf(url, { guard: publicWeb(), resolve: dnsResolve(servers) }, never());

    await expect(refused).rejects.toThrow('example.test is not on the public web');
    // Who asks must not learn what is inside.
    await expect(refused).rejects.not.toThrow(/\d+\.\d+/);
  });

  test('that does not exist is said to', async () => {
    const { servers } = await nameServer(() => []);

    await expect(
      addressesOf(url, { guard: publicWeb(), resolve: dnsResolve(servers) }, never()),
    ).rejects.toThrow('There is no host example.test');
  });

  test('is what the name server says, also where this machine has a meaning of its own for it', async () => {
    const { servers } = await nameServer(() => ['8.8.8.8']);
    const local = new URL('http://localhost/');

    const addresses = await addressesOf(local, { guard: publicWeb(), resolve: dnsResolve(servers) }, never());

    expect(addresses).toEqual(['8.8.8.8']);
  });

  test('is no longer looked up when the call is cancelled', async () => {
    const controller = new AbortController();
    const { servers } = await nameServer(() => {
      controller.abort(new Error('cancelled'));
      return ['8.8.8.8'];
    });

    await expect(dnsResolve(servers)('example.test', controller.signal)).rejects.toThrow('cancelled');
  });

  test('whose name server does not answer can be cancelled', async () => {
    const controller = new AbortController();

    // An address of documentation: nobody is there.
    const looking = dnsResolve(['192.0.2.1'])('example.test', controller.signal);
    controller.abort(new Error('cancelled'));

    await expect(looking).rejects.toThrow('cancelled');
  });
});
