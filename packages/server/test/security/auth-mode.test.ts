import { request } from 'node:http';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { startApp, type TestApp, tempDir } from '../../../../tests/helpers/app.ts';
import { person } from '../../../../tests/helpers/people.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { OPERATOR } from '../../src/security/principal.ts';
import type { KeyRow } from '../../src/storage/keys.ts';

const KEY = 'correct-horse-battery';
const FORWARDED = { 'x-forwarded-for': '203.0.113.9' };

async function status(url: string, headers: Record<string, string> = {}): Promise<number> {
  return (await call('GET', `${url}/api/sessions`, undefined, headers)).status;
}

/** Makes a session with headers that `fetch` does not let anybody set. Resolves to the status. */
function raw(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const sent = request(`${url}/api/sessions`, { method: 'POST', headers, agent: false }, (answer) => {
    answer.resume();
    resolve(answer.statusCode);
  });
  sent.on('error', reject);
  sent.end();
  return promise;
}

function warnings(): { logger: pino.Logger; lines: string[] } {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { logger: pino({ level: 'warn' }, sink), lines };
}

describe('auth "none"', () => {
  test('makes everybody the operator, whatever they offer', async () => {
    const { url } = await startApp({ config: { auth: 'none', key: KEY } });
    const created = await call('POST', `${url}/api/sessions`);

    for (const headers of [{}, FORWARDED, { authorization: 'Bearer whatever' }, { host: 'evil.example' }]) {
      const { body } = await call('GET', `${url}/api/sessions`, undefined, { ...headers });
      expect(body.sessions.map(({ session_id }: never) => session_id)).toEqual([created.body.session_id]);
    }
  });

  test.each([
    ['0.0.0.0', 'EVERYBODY'],
    ['127.0.0.1', 'everybody who reaches this port'],
  ])('on %s warns at the start and in the banner', async (host, words) => {
    const { logger, lines } = warnings();

    const { app } = await startApp({ logger, config: { auth: 'none', host } });

    expect(lines.filter((line) => line.includes(words))).toHaveLength(1);
    expect(app.describe().auth).toContain('EVERYBODY');
    expect(app.describe().auth.includes('NETWORK')).toBe(host === '0.0.0.0');
  });
});

describe('auth "required"', () => {
  test('does not start when nobody has a credential, and says how to make one', async () => {
    await expect(startApp({ config: { auth: 'required' } })).rejects.toThrow(
      /llmgine keys create .*LLMGINE_API_KEY/,
    );
  });

  test('starts when a key is stored, and lets nobody in without one, not even on the same machine', async () => {
    const databaseUrl = `sqlite:${await tempDir()}/db`;
    const before = await startApp({ config: { databaseUrl } });
    const { headers } = await person(before);
    await before.app.close();

    const { url, app } = await startApp({ config: { databaseUrl, auth: 'required' } });

    expect(await status(url)).toBe(401);
    expect(await status(url, headers)).toBe(200);
    expect(app.describe().auth).toContain('every caller');
  });
});

describe('auth "local"', () => {
  test('lets the same machine in beside the key, and nobody from elsewhere without it', async () => {
    const { url } = await startApp({ config: { auth: 'local', key: KEY } });

    expect(await status(url)).toBe(200);
    expect(await status(url, FORWARDED)).toBe(401);
    expect(await status(url, { ...FORWARDED, authorization: `Bearer ${KEY}` })).toBe(200);
    expect(await status(url, { authorization: 'Bearer something-else' })).toBe(401);
  });
});

test('a key or JWT in the configuration makes it "required", nothing makes it "local"', async () => {
  for (const [config, expected] of [
    [{}, 200],
    [{ key: KEY }, 401],
    [{ jwtSecret: 'a-secret-of-32-characters-or-more' }, 401],
  ] as const) {
    const { url } = await startApp({ config });
    expect([config, await status(url)]).toEqual([config, expected]);
  }
});

describe('auth "required" with stored keys', () => {
  test.each([
    ['revoked', (app: TestApp['app'], id: string) => app.services.keys.service.revoke(OPERATOR, id)],
    [
      'expired',
      (app: TestApp['app'], id: string) =>
        app.services.storage.keys
          .get([id])
          .then(([row]) =>
            app.services.storage.keys.change(row as KeyRow, { expiresAt: Date.now() - 1000 }, 0),
          ),
    ],
  ] as const)('does not start when the only ones are %s', async (_what, end) => {
    const databaseUrl = `sqlite:${await tempDir()}/db`;
    const before = await startApp({ config: { databaseUrl } });
    for (let count = 0; count < 3; count++) await end(before.app, (await person(before)).keyId);
    await before.app.close();

    await expect(startApp({ config: { databaseUrl, auth: 'required' } })).rejects.toThrow(
      /llmgine keys create/,
    );

    const more = await startApp({ config: { databaseUrl } });
    const { headers } = await person(more);
    for (let count = 0; count < 120; count++) await end(more.app, (await person(more)).keyId);
    await more.app.close();
    const { url } = await startApp({ config: { databaseUrl, auth: 'required' } });
    expect(await status(url, headers)).toBe(200);
  });
});

describe('auth "none" and pages from elsewhere', () => {
  test('a page that somebody visits makes nothing and stops nothing; pages of the server itself and of the list may', async () => {
    const { url } = await startApp({ config: { auth: 'none', corsOrigins: 'https://app.example' } });
    const { host } = new URL(url);
    const from = async (origin: string, headers: Record<string, string> = {}) => {
      const made = await call('POST', `${url}/api/sessions`, undefined, { origin, ...headers });
      const stopped = await call('POST', `${url}/api/admin/stop`, undefined, { origin, ...headers });
      return [made.status, stopped.status];
    };

    for (const origin of ['https://evil.example', 'null', `http://${host}.evil.example`, 'file://']) {
      expect(await from(origin)).toEqual([403, 403]);
    }
    for (const origin of [
      'https://app.example',
      `http://${host}`,
      `https://${host}`,
      'http://localhost:3000',
    ]) {
      expect(await from(origin)).toEqual([201, 200]);
    }
  });

  test('behind a name of its own, too, also through a proxy', async () => {
    const { url } = await startApp({ config: { auth: 'none' } });
    const headers = { host: 'llm.example', origin: 'https://llm.example', ...FORWARDED };
    expect(await raw(url, headers)).toBe(201);
    expect(await raw(url, { ...headers, origin: 'https://evil.example' })).toBe(403);
  });
});
