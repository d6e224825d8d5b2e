/** Who the claims of a good token speak of. */
import { expect, it } from 'vitest';
import { hmacToken, withDefaults } from '../../../../tests/helpers/tokens.ts';
import type { ConfigInput } from '../../src/config.ts';
import { PERMISSIONS } from '../../src/security/permissions.ts';
import { OPERATOR, type Principal } from '../../src/security/principal.ts';
import { startJwt } from './start-jwt.ts';

const SECRET = 'a-secret-of-the-provider-with-40-letters';

async function principalOf(claims: object, config: Partial<ConfigInput> = {}): Promise<Principal | null> {
  const { verifier } = startJwt({ jwtSecret: SECRET, jwtAudience: 'llmgine', ...config });
  return verifier.verify(hmacToken({ alg: 'HS256' }, withDefaults(claims), SECRET));
}

it('makes a principal of the claims', async () => {
  const exp = 4_000_000_000;

  expect(await principalOf({ exp, jti: 'token-1', tenant: 'acme', role: 'viewer' })).toEqual({
    id: 'jwt:ada',
    tenantId: 'acme',
    role: 'viewer',
    scopes: null,
    local: false,
    credential: { kind: 'jwt', id: 'token-1', expiresAt: (exp + 30) * 1000 },
  });
});

it('makes a user of the default tenant where the claims say nothing', async () => {
  expect(await principalOf({})).toMatchObject({
    tenantId: 'default',
    role: 'user',
    scopes: null,
    credential: { id: null },
  });
});

it.each(['operator', 'jwt:ada', 'default', 'key_1', 'auth0|5f7c8ec7c33c6c004bbafe82', 'ada@example.com'])(
  'cannot be confused with the operator or another kind of principal: %s',
  async (sub) => {
    const principal = await principalOf({ sub });

    expect(principal?.id).toBe(`jwt:${sub}`);
    expect(principal?.id).not.toBe(OPERATOR.id);
    expect(principal?.role).toBe('user');
  },
);

const NO_NAMES = [
  undefined,
  null,
  '',
  1,
  true,
  [],
  ['ada'],
  { id: 'ada' },
  'a b',
  'a\nb',
  'a\u0000',
  'ädä',
  '\u202eada',
  'a\u001b[31m',
  'x'.repeat(256),
];

it.each(NO_NAMES.map((sub) => [sub]))('refuses a subject that is no name: %j', async (sub) => {
  expect(await principalOf({ sub })).toBeNull();
});

it.each(NO_NAMES.filter((jti) => jti !== undefined).map((jti) => [jti]))(
  'refuses an id of a token that is no name, because nothing could revoke it: %j',
  async (jti) => {
    expect(await principalOf({ jti })).toBeNull();
  },
);

it.each([...NO_NAMES.filter((tenant) => tenant !== undefined), 'x'.repeat(129)].map((tenant) => [tenant]))(
  'refuses a tenant that is no name rather than taking the default one: %j',
  async (tenant) => {
    expect(await principalOf({ tenant })).toBeNull();
  },
);

it.each([
  ['admin', 'admin'],
  ['user', 'user'],
  ['viewer', 'viewer'],
  [['viewer', 'user'], 'user'],
  [['offline_access', 'admin', 'viewer'], 'admin'],
  [['staff', 'user'], 'user'],
])('takes the highest role that is named and known: %j', async (role, expected) => {
  expect((await principalOf({ role }))?.role).toBe(expected);
});

it.each(
  [
    ...[
      'Admin',
      'ADMIN',
      ' admin',
      'admin ',
      'administrator',
      'admin,user',
      'user admin',
      'root',
      '',
      '*',
      'аdmin',
    ],
    ...[
      null,
      true,
      1,
      0,
      {},
      [],
      { admin: true },
      [['admin']],
      [{ name: 'admin' }],
      [null],
      ['Admin', 'sudo'],
      '__proto__',
    ],
  ].map((role) => [role]),
)('gives the least to a role that is not known: %j', async (role) => {
  expect((await principalOf({ role }))?.role).toBe('viewer');
});

it('finds tenant and role in nested claims, and in claims whose names have dots', async () => {
  const nested = { jwtTenantClaim: 'org.id', jwtRoleClaim: 'realm_access.roles' };
  const flat = { jwtTenantClaim: 'https://example.com/org', jwtRoleClaim: 'https://example.com/role' };

  expect(
    await principalOf({ org: { id: 'acme' }, realm_access: { roles: ['admin'] } }, nested),
  ).toMatchObject({ tenantId: 'acme', role: 'admin' });
  expect(
    await principalOf({ 'https://example.com/org': 'acme', 'https://example.com/role': 'admin' }, flat),
  ).toMatchObject({ tenantId: 'acme', role: 'admin' });
  expect(
    await principalOf({ tenant: 'acme', role: 'admin', org: 'x', realm_access: null }, nested),
  ).toMatchObject({ tenantId: 'default', role: 'user' });
});

it.each(['__proto__', 'constructor.name', 'toString', 'role.length', 'roles.0.constructor', '.', '..'])(
  'reads nothing that no claim says: %s',
  async (path) => {
    const principal = await principalOf({ role: 'admin' }, { jwtRoleClaim: path, jwtTenantClaim: path });

    expect(principal).toMatchObject({ tenantId: 'default', role: 'user' });
  },
);

it.each([
  ['sessions:read', ['sessions:read']],
  ['runs:write sessions:read', ['sessions:read', 'runs:write']],
  [
    ['sessions:read', 'info:read'],
    ['info:read', 'sessions:read'],
  ],
  ['openid sessions:read', ['sessions:read']],
  ['admin', ['admin']],
  ['openid profile email', null],
  ['sessions:delete', []],
  ['session:read', []],
  ['SESSIONS:READ', []],
  ['sessions:read,runs:write', []],
  ['openid api', []],
  ['*', []],
  ['', []],
  [[], []],
  [null, []],
  [true, []],
  [{ 'sessions:read': true }, []],
  [[['sessions:read']], []],
] as const)('is limited by the scope %j to %j', async (scope, expected) => {
  expect((await principalOf({ scope, role: 'admin' }))?.scopes).toEqual(expected);
});

it('gives nothing by a scope that the role does not give', async () => {
  const { may } = await import('../../src/security/permissions.ts');
  const principal = await principalOf({ scope: PERMISSIONS.join(' '), role: 'viewer' });

  expect(PERMISSIONS.filter((permission) => may(principal as Principal, permission))).toEqual([
    'info:read',
    'sessions:read',
  ]);
});

it('says in the debug log why, and nothing of what was sent', async () => {
  const { verifier, lines } = startJwt({ jwtSecret: SECRET, jwtAudience: 'llmgine', jwtIssuer: 'id' });
  const refused = async (claims: object, header: object = {}) => {
    const token = hmacToken({ alg: 'HS256', ...header }, withDefaults({ iss: 'id', ...claims }), SECRET);
    expect(await verifier.verify(token)).toBeNull();
    return lines.at(-1)?.reason;
  };

  expect(await refused({ exp: 1 })).toBe('exp: check_failed');
  expect(await refused({ aud: 'canary' })).toBe('aud: check_failed');
  expect(await refused({ iss: 'canary' })).toBe('iss: check_failed');
  expect(await refused({ exp: undefined })).toBe('exp: missing');
  expect(await refused({ sub: 'can\nary' })).toBe('claims that name nobody');
  expect(await refused({}, { alg: 'canary' })).toBe('alg');
  expect(await refused({}, { kid: '/canary' })).toBe('kid');
  expect(await refused({}, { crit: ['canary'] })).toBe('crit');
  expect(await verifier.verify('llm_canary')).toBeNull();
  expect(lines).toHaveLength(8);
  expect(JSON.stringify(lines)).not.toMatch(/canary|eyJ/);
});

it('is good to the last moment that can be written, however late it expires', async () => {
  expect((await principalOf({ exp: 8_640_000_000_000 }))?.credential.expiresAt).toBe(
    Date.parse('9999-12-31T23:59:59.999Z'),
  );
});
