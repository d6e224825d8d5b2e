import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { startApp, tempDir } from '../../../../tests/helpers/app.ts';
import { person } from '../../../../tests/helpers/people.ts';
import { call } from '../../../../tests/helpers/rest.ts';

const KEY = 'correct-horse-battery';
const FORWARDED = { 'x-forwarded-for': '203.0.113.9' };

async function status(url: string, headers: Record<string, string> = {}): Promise<number> {
  return (await call('GET', `${url}/api/sessions`, undefined, headers)).status;
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
