import { ApiError } from '@llmgine/protocol';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { keyIdOf } from '../../../src/security/keys/format.ts';
import { type KeyNotice, KeyService } from '../../../src/security/keys/service.ts';
import type { Permission, Role } from '../../../src/security/permissions.ts';
import { OPERATOR, type Principal } from '../../../src/security/principal.ts';
import { openSqliteStorage } from '../../../src/storage/sqlite/storage.ts';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const DAY = 86_400_000;

async function setUp() {
  const storage = await openSqliteStorage({ path: ':memory:', synchronous: 'normal' });
  onTestFinished(() => storage.close());
  let now = NOW;
  const keys = new KeyService({ storage: storage.keys, now: () => now });
  const notices: KeyNotice[] = [];
  keys.onChanged((notice) => notices.push(notice));
  const pass = (milliseconds: number) => {
    now += milliseconds;
  };
  return { storage: storage.keys, keys, notices, pass };
}

function caller(
  tenantId: string,
  role: Role = 'admin',
  scopes: readonly Permission[] | null = null,
): Principal {
  return { ...OPERATOR, id: 'boss', tenantId, role, scopes };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof ApiError) return error.code;
    throw error;
  }
}

describe('create', () => {
  it('gives the key this once; its digest alone is stored (check 35)', async () => {
    const { storage, keys, notices } = await setUp();

    const { key, ...view } = await keys.create(OPERATOR, { name: 'CI' });

    expect(keyIdOf(key)).toBe(view.id);
    expect(view).toEqual({
      id: view.id,
      name: 'CI',
      tenant_id: 'default',
      principal_id: expect.stringMatching(/^user_[0-9A-Za-z]{12}$/),
      role: 'user',
      scopes: null,
      created_at: '2026-01-01T12:00:00.000Z',
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
      successor_id: null,
      status: 'active',
    });
    expect(await keys.get(OPERATOR, view.id)).toEqual(view);
    const [row] = await storage.get([view.id]);
    expect(JSON.stringify(row)).not.toContain(key.slice(-28));
    expect(notices).toEqual([
      {
        change: 'created',
        keyId: view.id,
        tenantId: 'default',
        principalId: view.principal_id,
        by: OPERATOR,
      },
    ]);
  });

  it.each([
    ['no name', { name: '' }],
    ['a name of two lines', { name: 'one\ntwo' }],
    ['a name that moves the cursor', { name: '\u001b[2J' }],
    ['a name without end', { name: 'x'.repeat(201) }],
    ['an unknown role', { role: 'emperor' }],
    ['an unknown scope', { scopes: ['fly'] }],
    ['no scope at all', { scopes: [] }],
    ['a tenant of two lines', { tenant_id: 'a\nb' }],
    ['the principal of a token', { principal_id: 'jwt:alice' }],
    ['a past expiry', { expires_at: '2026-01-01T12:00:00Z' }],
    ['an expiry that is no time', { expires_at: 'tomorrow' }],
  ])('refuses %s', async (_what, values) => {
    const { storage, keys } = await setUp();

    const input = { name: 'CI', ...values } as Parameters<KeyService['create']>[1];
    expect(await codeOf(keys.create(OPERATOR, input))).toBe('VALIDATION_ERROR');

    expect((await storage.list({ limit: 1 })).keys).toEqual([]);
  });
});

describe('nobody gives more than they have', () => {
  it.each([
    ['user', null],
    ['viewer', null],
    ['admin', ['sessions:read', 'runs:write']],
  ] as const)('a caller of role %s with scopes %j manages nothing', async (role, scopes) => {
    const { keys } = await setUp();
    const { id } = await keys.create(OPERATOR, { name: 'CI', role: 'viewer' });
    const by = caller('default', role, scopes);

    expect(await codeOf(keys.create(by, { name: 'x', role: 'viewer', scopes: ['info:read'] }))).toBe(
      'FORBIDDEN',
    );
    expect(await codeOf(keys.list(by, { limit: 1 }))).toBe('FORBIDDEN');
    expect(await codeOf(keys.get(by, id))).toBe('FORBIDDEN');
    expect(await codeOf(keys.change(by, id, { name: 'x' }))).toBe('FORBIDDEN');
    expect(await codeOf(keys.rotate(by, id))).toBe('FORBIDDEN');
    expect(await codeOf(keys.revoke(by, id))).toBe('FORBIDDEN');
  });

  it.each([
    ['admin', null, 'FORBIDDEN'],
    ['admin', ['admin', 'runs:write'], 'FORBIDDEN'],
    ['user', null, 'FORBIDDEN'],
    ['user', ['sessions:read'], 'done'],
    ['admin', ['admin', 'sessions:read'], 'done'],
    ['viewer', ['sessions:read', 'runs:write'], 'done'],
  ] as const)(
    'an admin limited to admin and sessions:read, a key of %s with %j: %s',
    async (role, scopes, code) => {
      const { keys } = await setUp();
      const by = caller('default', 'admin', ['admin', 'sessions:read']);
      const given = { role, scopes: scopes && [...scopes] };
      const strong = await keys.create(OPERATOR, { name: 'strong', ...given });
      const weak = await keys.create(OPERATOR, { name: 'weak', role: 'viewer', scopes: ['sessions:read'] });

      expect(await codeOf(keys.create(by, { name: 'x', ...given }))).toBe(code);
      expect(await codeOf(keys.change(by, weak.id, given))).toBe(code);
      // Not even what it has already: the answer would hold it.
      expect(await codeOf(keys.rotate(by, strong.id))).toBe(code);
    },
  );
});

describe('tenants', () => {
  it('an admin of another tenant than the main one manages its own keys, and does not see others', async () => {
    const { keys } = await setUp();
    const acme = caller('acme');
    const mine = await keys.create(acme, { name: 'mine' });
    const other = await keys.create(OPERATOR, { name: 'other', tenant_id: 'other' });

    expect(mine.tenant_id).toBe('acme');
    expect(await codeOf(keys.create(acme, { name: 'x', tenant_id: 'other' }))).toBe('FORBIDDEN');
    expect(await codeOf(keys.create(acme, { name: 'x', tenant_id: 'default' }))).toBe('FORBIDDEN');
    expect((await keys.list(acme, { limit: 10 })).keys.map(({ id }) => id)).toEqual([mine.id]);
    expect((await keys.list(acme, { limit: 10, tenantId: 'other' })).keys).toEqual([]);
    for (const act of [
      keys.get(acme, other.id),
      keys.change(acme, other.id, { name: 'x' }),
      keys.rotate(acme, other.id),
      keys.revoke(acme, other.id),
    ]) {
      expect(await codeOf(act)).toBe('NOT_FOUND');
    }
    expect(await keys.get(OPERATOR, other.id)).toMatchObject({ name: 'other', status: 'active' });
  });

  it('an admin of the main one manages them all', async () => {
    const { keys } = await setUp();
    const acme = await keys.create(OPERATOR, { name: 'x', tenant_id: 'acme' });
    const own = await keys.create(OPERATOR, { name: 'y' });
    const ids = async (tenantId?: string) =>
      (await keys.list(OPERATOR, { limit: 10, tenantId })).keys.map(({ id }) => id);

    expect(await ids()).toEqual([own.id, acme.id]);
    expect(await ids('acme')).toEqual([acme.id]);
    expect(await keys.revoke(OPERATOR, acme.id)).toMatchObject({ status: 'revoked' });
  });
});

describe('rotate', () => {
  it('gives a key of the same principal, and the old one a day', async () => {
    const { keys, notices } = await setUp();
    const old = await keys.create(OPERATOR, { name: 'CI', role: 'admin', scopes: ['admin'] });

    const { key, ...fresh } = await keys.rotate(OPERATOR, old.id);

    expect(keyIdOf(key)).toBe(fresh.id);
    expect(fresh).toMatchObject({ name: 'CI', role: 'admin', scopes: ['admin'], expires_at: null });
    expect(fresh.principal_id).toBe(old.principal_id);
    expect(await keys.get(OPERATOR, old.id)).toMatchObject({
      status: 'active',
      expires_at: '2026-01-02T12:00:00.000Z',
      successor_id: fresh.id,
    });
    expect(notices.at(-1)).toMatchObject({ change: 'rotated', keyId: old.id, successorId: fresh.id });
  });

  it('ends the old key at once where there is no grace', async () => {
    const { keys } = await setUp();
    const old = await keys.create(OPERATOR, { name: 'CI' });

    await keys.rotate(OPERATOR, old.id, { grace: 0 });

    expect(await keys.get(OPERATOR, old.id)).toMatchObject({ status: 'expired' });
  });

  it('of a key for ever, or nearly so, gives one that ends in a year that can be written', async () => {
    const { keys, pass } = await setUp();
    const old = await keys.create(OPERATOR, { name: 'CI', expires_at: '9999-12-31T23:59:59Z' });
    pass(29 * DAY);

    const fresh = await keys.rotate(OPERATOR, old.id);

    expect(fresh.expires_at).toBe('9999-12-31T23:59:59.999Z');
    const late = { name: 'CI', expires_at: '9999-12-31T23:59:59-12:00' };
    expect(await codeOf(keys.create(OPERATOR, late))).toBe('VALIDATION_ERROR');
  });

  it('gives the new key the time that the old one had', async () => {
    const { keys, pass } = await setUp();
    const old = await keys.create(OPERATOR, { name: 'CI', expires_at: '2026-01-31T12:00:00Z' });
    pass(29 * DAY);

    const fresh = await keys.rotate(OPERATOR, old.id, { grace: 7 * 86_400 });

    expect(fresh.expires_at).toBe('2026-03-01T12:00:00.000Z');
    expect(await keys.get(OPERATOR, old.id)).toMatchObject({ expires_at: '2026-01-31T12:00:00.000Z' });
  });

  it('is done once for a key, also when two do it at once: two keys are active, not three', async () => {
    const { keys } = await setUp();
    const old = await keys.create(OPERATOR, { name: 'CI' });

    const codes = await Promise.all([
      codeOf(keys.rotate(OPERATOR, old.id)),
      codeOf(keys.rotate(OPERATOR, old.id)),
    ]);

    expect(codes.sort()).toEqual(['VALIDATION_ERROR', 'done']);
    expect((await keys.list(OPERATOR, { limit: 10 })).keys).toHaveLength(2);
  });
});

describe('a key that has ended', () => {
  it.each(['revoked', 'expired'] as const)('%s: is neither changed nor rotated back to life', async (how) => {
    const { keys, pass } = await setUp();
    const { id } = await keys.create(OPERATOR, { name: 'CI', expires_at: '2026-01-02T12:00:00Z' });
    if (how === 'revoked') await keys.revoke(OPERATOR, id);
    else pass(DAY);

    expect(await codeOf(keys.change(OPERATOR, id, { expires_at: null }))).toBe('NOT_FOUND');
    expect(await codeOf(keys.rotate(OPERATOR, id))).toBe('NOT_FOUND');
    expect(await keys.get(OPERATOR, id)).toMatchObject({ status: how });
  });

  it('may be revoked again, and was revoked when it first was', async () => {
    const { keys, pass } = await setUp();
    const { id } = await keys.create(OPERATOR, { name: 'CI' });
    const first = await keys.revoke(OPERATOR, id);
    pass(DAY);

    expect(await keys.revoke(OPERATOR, id)).toEqual(first);
    expect(await codeOf(keys.revoke(OPERATOR, 'key_unknown'))).toBe('NOT_FOUND');
  });
});

describe('what somebody else changes meanwhile', () => {
  it('is taken into account: a rotation does not bring back what was taken away', async () => {
    const { storage, keys } = await setUp();
    const old = await keys.create(OPERATOR, { name: 'CI', role: 'admin' });
    const rotate = storage.rotate.bind(storage);
    vi.spyOn(storage, 'rotate').mockImplementationOnce(async (...args) => {
      await keys.change(OPERATOR, old.id, { role: 'viewer' });
      return rotate(...args);
    });

    expect(await keys.rotate(OPERATOR, old.id)).toMatchObject({ role: 'viewer' });
  });

  it('is not waited for without end', async () => {
    const { storage, keys } = await setUp();
    const { id } = await keys.create(OPERATOR, { name: 'CI' });
    vi.spyOn(storage, 'change').mockResolvedValue(false);

    expect(await codeOf(keys.change(OPERATOR, id, { role: 'viewer' }))).toBe('UNAVAILABLE');
  });
});
