import { type Authentication, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test, vi } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';

const PEOPLE: Record<string, Awaited<ReturnType<Authentication>>> = {
  'ada-s-credential': { id: 'ada', tenantId: 'acme' },
  'bob-s-credential': { id: 'bob', tenantId: 'acme' },
  'view-credential': { id: 'ada', tenantId: 'acme', role: 'viewer' },
};

/** Good for a moment after it is offered. */
function shortLived(credential: string) {
  const found = credential === 'short-credential' ? PEOPLE['ada-s-credential'] : PEOPLE[credential];
  if (!found) return null;
  return credential === 'short-credential' ? { ...found, expiresAt: new Date(Date.now() + 300) } : found;
}

const as = (credential: string) => ({ authorization: `Bearer ${credential}` });

function start(
  authenticate: Authentication = (credential) => PEOPLE[credential] ?? null,
  config: object = {},
) {
  const apiFactory = new ExtensibleAPIFactory().registerAuthentication(authenticate);
  return startApp({ apiFactory, config: { auth: 'required', ...config } });
}

test('who offers a credential of the application is who it says: sessions are theirs, by role, and nobody else s', async () => {
  const { url } = await start();
  const sessions = `${url}/api/sessions`;

  const made = await call('POST', sessions, undefined, as('ada-s-credential'));
  const own = `${sessions}/${made.body.session_id}`;

  expect(made.status).toBe(201);
  expect((await call('GET', own, undefined, as('ada-s-credential'))).status).toBe(200);
  expect((await call('GET', own, undefined, as('bob-s-credential'))).status).toBe(404);
  expect((await call('GET', own, undefined, as('view-credential'))).status).toBe(200);
  expect((await call('DELETE', own, undefined, as('view-credential'))).status).toBe(403);
  expect((await call('GET', own, undefined, as('nobody-s'))).status).toBe(401);
  expect((await call('GET', own)).status).toBe(401);
});

test('a credential in a subprotocol opens a socket, which closes when it expires', async () => {
  const { url, wsUrl } = await start(shortLived);
  const made = await call('POST', `${url}/api/sessions`, undefined, as('ada-s-credential'));

  const socket = await TestSocket.open(wsUrl(made.body.session_id), {
    protocols: ['llmgine.v1', 'llmgine.bearer.short-credential'],
  });

  expect(await socket.closed).toMatchObject({ code: 4001 });
});

test('a failure lets nobody in and tells nothing', async () => {
  const authenticate = vi.fn<Authentication>(() => {
    throw new Error('the directory at ldap.internal is down');
  });
  const { url } = await start(authenticate);

  const { status, body } = await call('GET', `${url}/api/sessions`, undefined, as('ada-s-credential'));

  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain('ldap');
});

test.each([
  ['a role that is none', { id: 'ada', role: 'root' }],
  ['an id with a line break', { id: 'ada\nadmin' }],
  ['no id', {}],
])('%s is a failure, not a caller', async (_what, found) => {
  const { url } = await start(() => found as never);

  expect((await call('GET', `${url}/api/sessions`, undefined, as('x'))).status).toBe(500);
});

test('nobody of the application is the operator', async () => {
  const { app, url } = await start(() => ({ id: 'operator', role: 'admin' }), { key: 'k'.repeat(20) });
  const made = await call('POST', `${url}/api/sessions`, undefined, as('k'.repeat(20)));

  const seen = await call('GET', `${url}/api/sessions/${made.body.session_id}`, undefined, as('other'));

  expect(app.config.values.auth).toBe('required');
  expect(seen.status).toBe(404);
});

test('a credential that the application finds, and says has expired, lets nobody in', async () => {
  const authenticate: Authentication = () => ({
    id: 'ada',
    role: 'admin',
    expiresAt: new Date(Date.now() - 1),
  });
  const { url } = await start(authenticate);

  expect((await call('GET', `${url}/api/sessions`, undefined, as('ada-s-credential'))).status).toBe(401);
});
