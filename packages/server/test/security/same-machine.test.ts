import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { foreignSign, type GateRequest } from '../../src/security/same-machine.ts';
import { exchange } from '../http/raw.ts';

const LOCAL = 'Host: localhost:8000';

/** A server that says of each request whether it came through the gate. */
async function startGate(): Promise<string> {
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    const sign = foreignSign(request);
    response.end(sign ? `out: ${sign.kind}` : 'in');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it.each([
  ['localhost', [LOCAL]],
  ['localhost without a port', ['Host: localhost']],
  ['a name below localhost', ['Host: app.localhost:3000']],
  ['upper case', ['HOST: LOCALHOST:8000']],
  ['127.0.0.1', ['Host: 127.0.0.1:8000']],
  ['another loopback address', ['Host: 127.8.9.255']],
  ['IPv6 loopback', ['Host: [::1]:8000']],
  ['a local page', [LOCAL, 'Origin: http://localhost:5173']],
  ['a local page below localhost', [LOCAL, 'Origin: https://app.localhost']],
  ['a page of the loopback address', [LOCAL, 'Origin: http://127.0.0.1:3000']],
  ['a page of the IPv6 loopback', [LOCAL, 'Origin: http://[::1]:3000']],
])('lets %s in', async (_what, headers) => {
  const gate = await startGate();

  const { body } = await exchange(
    gate,
    `GET / HTTP/1.1\r\n${headers.join('\r\n')}\r\nConnection: close\r\n\r\n`,
  );

  expect(body).toContain('in');
});

it.each([
  ['a foreign name that points here', ['Host: evil.example']],
  ['a name that begins like a local one', ['Host: localhost.evil.example']],
  ['a name that ends like a local one', ['Host: evil-localhost']],
  ['an address in a foreign name', ['Host: 127.0.0.1.evil.example']],
  ['an address that is no loopback', ['Host: 128.0.0.1']],
  ['an address that is none', ['Host: 127.0.0.999']],
  ['the unspecified address', ['Host: 0.0.0.0:8000']],
  ['a short address', ['Host: 127.1']],
  ['a trailing dot', ['Host: localhost.:8000']],
  ['a user part', ['Host: localhost@evil.example']],
  ['a port that is none', ['Host: localhost:x']],
  ['an empty Host', ['Host: ']],
  ['no Host', ['X-A: b']],
  ['two Hosts, the first local', [LOCAL, 'Host: evil.example']],
  ['two Hosts, the second local', ['Host: evil.example', LOCAL]],
  ['a foreign page', [LOCAL, 'Origin: https://evil.example']],
  ['a page that hides where it is from', [LOCAL, 'Origin: null']],
  ['a page that begins like a local one', [LOCAL, 'Origin: http://localhost.evil.example']],
  ['a page with a local user part', [LOCAL, 'Origin: http://localhost@evil.example']],
  ['a page of another scheme', [LOCAL, 'Origin: chrome-extension://localhost']],
  ['two Origins', [LOCAL, 'Origin: http://localhost', 'Origin: https://evil.example']],
  ...[
    'Forwarded: for=127.0.0.1',
    'X-Forwarded-For: 127.0.0.1',
    'x-forwarded-for:',
    'X-FORWARDED-HOST: localhost',
    'X-Forwarded-Proto: http',
    'X-Forwarded-Anything: x',
    'X-Real-IP: 127.0.0.1',
    'CF-Connecting-IP: 127.0.0.1',
    'True-Client-IP: 127.0.0.1',
    'Via: 1.1 proxy',
    'X-Client-IP: 127.0.0.1',
    'Fly-Client-IP: 127.0.0.1',
    'CDN-Loop: cloudflare',
    'X-Original-Host: localhost',
    'X-Envoy-Attempt-Count: 1',
    'X-Amzn-Trace-Id: Root=1',
    'Tailscale-User-Login: a',
  ].map((header): [string, string[]] => [`"${header}"`, [LOCAL, header]]),
])('keeps %s out', async (_what, headers) => {
  const gate = await startGate();

  const { body } = await exchange(
    gate,
    `GET / HTTP/1.1\r\n${headers.join('\r\n')}\r\nConnection: close\r\n\r\n`,
  );

  expect(body).toContain('out');
});

it.each([
  ['forwarded', [LOCAL, 'X-Forwarded-For: 127.0.0.1', 'Origin: https://evil.example']],
  ['host', ['Host: evil.example', 'Origin: https://evil.example']],
  ['origin', [LOCAL, 'Origin: https://evil.example']],
])('says what gave a request away: %s', async (kind, headers) => {
  const gate = await startGate();

  const { body } = await exchange(
    gate,
    `GET / HTTP/1.1\r\n${headers.join('\r\n')}\r\nConnection: close\r\n\r\n`,
  );

  expect(body).toContain(`out: ${kind}`);
});

it('keeps HTTP/1.0 out, which is what a proxy speaks that adds no headers', async () => {
  const gate = await startGate();

  expect((await exchange(gate, `GET / HTTP/1.0\r\n${LOCAL}\r\n\r\n`)).body).toBe('out: version');
});

it.each([
  ['127.0.0.1', true],
  ['127.200.3.4', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::FFFF:127.0.0.1', true],
  ['10.0.0.1', false],
  ['172.17.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['fe80::1', false],
  ['::', false],
  ['127.0.0.1.evil', false],
  [undefined, false],
])('takes the peer %s for this machine: %s', (remoteAddress, expected) => {
  const request: GateRequest = {
    headers: { host: 'localhost' },
    rawHeaders: ['Host', 'localhost'],
    httpVersion: '1.1',
    socket: { remoteAddress },
  };

  expect(foreignSign(request)?.kind).toBe(expected ? undefined : 'peer');
});
