import { expect, onTestFinished, test } from 'vitest';
import { LiveCredentials, type LiveUse } from '../../src/security/live-credentials.ts';
import type { Principal } from '../../src/security/principal.ts';

interface TestUse extends LiveUse {
  principal: Principal;
  readonly heard: string[];
}

function principal(
  keyId: string,
  changes: Partial<Principal> = {},
  expiresAt: number | null = null,
): Principal {
  return {
    id: 'ann',
    tenantId: 'default',
    role: 'user',
    scopes: null,
    local: false,
    credential: { kind: 'key', id: keyId, expiresAt },
    ...changes,
  };
}

function use(of: Principal): TestUse {
  const heard: string[] = [];
  return {
    principal: of,
    heard,
    changed(now) {
      this.principal = now;
      heard.push(`changed to ${now.role}`);
    },
    ended: (why) => void heard.push(why),
  };
}

/** Credentials whose truth is in `keys`: what each key is now, or null. */
function start(keys = new Map<string, Principal | null>()) {
  const asked: string[] = [];
  const revoked: string[] = [];
  const reports: unknown[] = [];
  const source = { failing: false };
  const live = new LiveCredentials({
    kinds: ['key'],
    async recheck(one) {
      asked.push(String(one.credential.id));
      if (source.failing) throw new Error('the storage is down');
      return keys.get(String(one.credential.id)) ?? null;
    },
    onRevoked: ({ credential }) => void revoked.push(String(credential.id)),
    report: (_stage, error) => void reports.push(error),
  });
  onTestFinished(() => live.close());
  return { live, keys, asked, revoked, reports, source };
}

test('asks once for each credential, however many use it, and has two timers', async () => {
  const keys = new Map(['a', 'b'].map((id) => [id, principal(id)] as const));
  const { live, asked } = start(keys);
  const timers = () => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
  const before = timers();
  const later = Date.now() + 3_600_000;

  for (let count = 0; count < 10_000; count++) {
    live.add(use(principal(count % 2 ? 'a' : 'b', {}, later + count)));
  }
  await live.look();

  expect(asked.sort()).toEqual(['a', 'b']);
  expect(timers() - before).toBeLessThanOrEqual(2);
});

test('does not ask for credentials that cannot change, nor for those that nobody uses any more', async () => {
  const { live, asked } = start();
  const gone = use(principal('a'));

  live.add(use(principal('b', { credential: { kind: 'bootstrap', id: null, expiresAt: null } })));
  live.add(use(principal('c', { credential: { kind: 'jwt', id: 'c', expiresAt: null } })));
  live.add(gone);
  live.delete(gone);
  await live.look();

  expect(asked).toEqual([]);
});

test('tells every use of a revoked credential, and its end once', async () => {
  const { live, keys, revoked } = start(new Map([['a', principal('a')]]));
  const uses = [use(principal('a')), use(principal('a'))];
  for (const one of uses) live.add(one);
  await live.look();
  expect(uses.map(({ heard }) => heard)).toEqual([[], []]);

  keys.set('a', null);
  await live.look();
  await live.look();

  expect(uses.map(({ heard }) => heard)).toEqual([['revoked'], ['revoked']]);
  expect(revoked).toEqual(['a']);
});

test('tells of another role, and not again while it stays', async () => {
  const { live } = start(new Map([['a', principal('a', { role: 'viewer' })]]));
  const one = use(principal('a', { local: false }));
  live.add(one);

  await live.look();
  await live.look();

  expect(one.heard).toEqual(['changed to viewer']);
});

test('tells a use that came later and still believes what was true before', async () => {
  const { live } = start(new Map([['a', principal('a', { role: 'viewer' })]]));
  const [first, late] = [use(principal('a')), use(principal('a'))];
  live.add(first);
  await live.look();

  live.add(late);
  await live.look();

  expect([first.heard, late.heard]).toEqual([['changed to viewer'], ['changed to viewer']]);
});

test('a credential that has become somebody else ends', async () => {
  const { live } = start(new Map([['a', principal('a', { tenantId: 'two' })]]));
  const one = use(principal('a'));
  live.add(one);

  await live.look();

  expect(one.heard).toEqual(['revoked']);
});

test('leaves everything as it is while it cannot know, and reports that once', async () => {
  const { live, keys, source, reports } = start(new Map([['a', principal('a')]]));
  const one = use(principal('a'));
  live.add(one);
  source.failing = true;
  keys.set('a', null);

  await live.look();
  await live.look();
  expect([one.heard, reports.length]).toEqual([[], 1]);

  source.failing = false;
  await live.look();
  expect(one.heard).toEqual(['revoked']);
});

test('one that had expired before is ended too, and not as revoked', async () => {
  const { live, revoked } = start();
  const one = use(principal('a', {}, Date.now() - 1000));
  const { promise, resolve } = Promise.withResolvers<string>();
  one.ended = resolve;

  live.add(one);

  expect(await promise).toBe('expired');
  await live.look();
  expect(revoked).toEqual([]);
});

test('a use that goes on with another credential ends with that one', async () => {
  const { live, keys, asked } = start(new Map([['b', principal('b')]]));
  const one = use(principal('a'));
  live.add(one);

  live.replace(one, principal('b', { role: 'viewer' }));
  await live.look();
  expect(asked).toEqual(['b']);
  keys.set('b', null);
  await live.look();

  expect(one.heard).toEqual(['changed to viewer', 'changed to user', 'revoked']);
});

test('watches who gave a command also without a connection, 10,000 of them at most', async () => {
  const { live, asked, revoked } = start();

  for (let count = 0; count < 10_100; count++) live.remember(principal(`key ${count}`));
  await live.look();

  expect(asked).toHaveLength(10_000);
  expect(revoked).not.toContain('key 0');
  expect(revoked).toContain('key 10099');
});
