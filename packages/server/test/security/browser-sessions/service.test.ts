import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { APIConfig } from '../../../src/config.ts';
import { csrfTokenOf } from '../../../src/security/browser-sessions/cookie.ts';
import { BrowserSessions } from '../../../src/security/browser-sessions/service.ts';
import { KeyVerifier } from '../../../src/security/keys/verifier.ts';
import { LOCAL_OPERATOR, OPERATOR } from '../../../src/security/principal.ts';
import { Uses } from '../../../src/security/uses.ts';
import { openSqliteStorage } from '../../../src/storage/sqlite/storage.ts';
import { FakeKeys } from '../keys/fake-keys.ts';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function setUp() {
  const { browserSessions: storage, close } = await open();
  onTestFinished(close);
  let time = NOW;
  const now = () => time;
  const keyRows = new FakeKeys();
  const keys = new KeyVerifier({ storage: keyRows, uses: { note: vi.fn() }, now });
  const config = new APIConfig({ key: 'correct-horse-battery' }, { env: {} });
  const write = vi.fn((all: Parameters<typeof storage.used>[0]) => storage.used(all));
  const uses = new Uses({ stage: 'x', intervalMs: MINUTE, write, now, report: vi.fn() });
  const sessions = new BrowserSessions({ config, storage, keys, uses, now });
  const get = vi.spyOn(storage, 'get');
  return {
    sessions,
    keyRows,
    keys,
    get,
    write,
    storage,
    /** Time goes by, and what was noted before is written. */
    async pass(milliseconds: number) {
      await uses.flush();
      time += milliseconds;
      vi.advanceTimersByTime(1000);
    },
    async beginWithKey(values: Parameters<FakeKeys['add']>[0] = {}) {
      const { key, keyId } = keyRows.add(values);
      const holder = await keys.verify(key);
      if (!holder) throw new Error('The key is not known');
      return { keyId, ...(await sessions.begin(holder)) };
    },
  };
}

async function open() {
  const storage = await openSqliteStorage({ path: ':memory:', synchronous: 'normal' });
  return { browserSessions: storage.browserSessions, close: () => storage.close() };
}

function request(secret: string, method = 'GET'): IncomingMessage {
  const headers = { cookie: `__Host-llmgine=${secret}`, 'x-csrf-token': csrfTokenOf(secret) };
  return { method, headers } as unknown as IncomingMessage;
}

it('is over when nobody has used it for the idle time', async () => {
  const { sessions, pass } = await setUp();
  const { secret, principal } = await sessions.begin(OPERATOR);
  expect(principal.credential.expiresAt).toBe(NOW + HOUR);

  await pass(HOUR - 1);
  expect(await sessions.verify(request(secret))).toMatchObject({ id: 'operator', local: false });
  await pass(HOUR - 1);
  const again = await sessions.verify(request(secret));
  expect(again?.credential.expiresAt).toBe(NOW + 2 * HOUR - 1);
  await pass(HOUR + 1);

  expect(await sessions.verify(request(secret))).toBeNull();
  expect(await sessions.recheck(principal)).toBeNull();
});

it('is over after its lifetime, however much it is used, over requests or a socket', async () => {
  const { sessions, pass } = await setUp();
  const { secret, principal, lifetimeMs } = await sessions.begin(OPERATOR);
  expect(lifetimeMs).toBe(12 * HOUR);

  for (let half = 1; half < 24; half++) {
    await pass(HOUR / 2);
    if (half % 2 === 0) sessions.used(principal);
    else expect(await sessions.verify(request(secret))).not.toBeNull();
  }
  expect((await sessions.recheck(principal))?.credential.expiresAt).toBe(NOW + 12 * HOUR);
  await pass(HOUR / 2);

  expect(await sessions.verify(request(secret))).toBeNull();
});

it('ends with the credential that it was begun with, if that is sooner', async () => {
  const { sessions, keyRows, beginWithKey } = await setUp();
  const custom = await sessions.begin({
    ...OPERATOR,
    credential: { kind: 'custom', id: null, expiresAt: NOW + MINUTE },
  });
  const byKey = await beginWithKey({ expiresAt: NOW + 2 * MINUTE });

  expect([custom.lifetimeMs, byKey.lifetimeMs]).toEqual([MINUTE, 2 * MINUTE]);
  keyRows.set(byKey.keyId, { expiresAt: NOW + 3 * MINUTE });
  // The cookie was given for less.
  expect((await sessions.recheck(byKey.principal))?.credential.expiresAt).toBe(NOW + 2 * MINUTE);
  keyRows.set(byKey.keyId, { expiresAt: NOW + 1 });
  expect((await sessions.recheck(byKey.principal))?.credential.expiresAt).toBe(NOW + 1);
});

it('asks the key each time what it may do', async () => {
  const { sessions, keyRows, pass, beginWithKey } = await setUp();
  const { keyId, secret, principal } = await beginWithKey({ role: 'admin' });
  expect(principal).toMatchObject({ role: 'admin', credential: { begunWith: { kind: 'key', id: keyId } } });

  keyRows.set(keyId, { role: 'viewer', scopes: ['info:read'] });
  await pass(0);
  expect(await sessions.verify(request(secret))).toMatchObject({ role: 'viewer', scopes: ['info:read'] });

  keyRows.set(keyId, { revokedAt: NOW });
  await pass(0);
  expect(await sessions.verify(request(secret))).toBeNull();
});

it('costs a thousand requests one look-up and one write', async () => {
  const { sessions, get, write, pass } = await setUp();
  const { secret } = await sessions.begin(OPERATOR);
  await pass(MINUTE);

  for (let count = 0; count < 1000; count++) await sessions.verify(request(secret, 'POST'));
  await pass(0);

  expect(get).toHaveBeenCalledOnce();
  expect(write).toHaveBeenCalledOnce();
});

it('costs ten thousand that are looked after twenty look-ups', async () => {
  const { sessions, get } = await setUp();
  const holders = Array.from({ length: 500 }, (_, index) => ({ ...OPERATOR, id: `somebody-${index}` }));
  const begun = (
    await Promise.all(holders.flatMap((one) => Array.from({ length: 20 }, () => sessions.begin(one))))
  ).map(({ principal }) => principal);
  expect(begun).toHaveLength(10_000);

  const found = await Promise.all(begun.map((principal) => sessions.recheck(principal)));

  expect(found.every((one) => one !== null)).toBe(true);
  expect(get).toHaveBeenCalledTimes(20);
});

it('that is ended is over at once, also for who asks at the same time', async () => {
  const { sessions } = await setUp();
  const { secret, principal } = await sessions.begin(OPERATOR);
  const heard = vi.fn();
  sessions.onEnded(heard);
  expect(await sessions.verify(request(secret))).not.toBeNull();

  await Promise.all([sessions.end(principal), sessions.end(principal)]);

  expect(heard).toHaveBeenCalled();
  expect(await sessions.verify(request(secret))).toBeNull();
  sessions.used(principal);
  expect(await sessions.recheck(principal)).toBeNull();
});

it('is begun by nobody who has shown no credential, nor by another session', async () => {
  const { sessions } = await setUp();
  const { principal } = await sessions.begin(OPERATOR);

  for (const holder of [LOCAL_OPERATOR, principal]) {
    await expect(sessions.begin(holder)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  }
});

it('that says something which this version does not know is nobody’s', async () => {
  const { sessions, storage } = await setUp();
  const { principal } = await sessions.begin(OPERATOR);
  const [row] = await storage.get([String(principal.credential.id)]);
  if (!row) throw new Error('There is no session');
  await storage.create({ ...row, id: 'browser_strange', role: 'emperor' }, 20);
  await storage.create({ ...row, id: 'browser_kind', credentialKind: 'telepathy' }, 20);

  for (const id of ['browser_strange', 'browser_kind', 'browser_unknown']) {
    const credential = { ...principal.credential, id };
    expect(await sessions.recheck({ ...principal, credential })).toBeNull();
  }
});
