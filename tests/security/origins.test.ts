import { expect, test } from 'vitest';
import { RawSocket } from '../../packages/server/test/ws/raw-socket.ts';
import { startApp } from '../helpers/app.ts';

const KEY = 'correct-horse-battery';
const AUTH = { Authorization: `Bearer ${KEY}` };

test.each([
  'https://evil.example',
  'null',
  'https://app.example.evil.example',
  'https://evilapp.example',
  'https://app.example:444',
  'http://app.example',
  'https://APP.example',
  'https://app.example/',
  'https://app.example,https://evil.example',
  'https://user@app.example',
  'http://localhost.evil.example',
  'file://',
])(
  'check 18 (ASVS 4.4.2): an upgrade from %s is refused before it, also with the right key',
  async (origin) => {
    const { url, createSession } = await startApp({ config: { corsOrigins: 'https://app.example' } });
    const withKey = await startApp({ config: { key: KEY, corsOrigins: 'https://app.example' } });
    const path = `/api/sessions/${await createSession()}/ws`;

    const without = await (await RawSocket.connect(url)).handshake(url, {
      path,
      headers: { Origin: origin },
    });
    const withIt = await (await RawSocket.connect(withKey.url)).handshake(withKey.url, {
      path,
      headers: { ...AUTH, Origin: origin },
    });
    const known = await (await RawSocket.connect(withKey.url)).handshake(withKey.url, {
      path,
      headers: { ...AUTH, Origin: 'https://app.example' },
    });

    expect([without.status, withIt.status, known.status]).toEqual([403, 403, 101]);
  },
);
