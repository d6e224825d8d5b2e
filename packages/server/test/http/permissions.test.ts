import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { MessageTypes } from '../../src/handlers/registry.ts';
import { createHttpServer } from '../../src/http/server.ts';

/** The server before it listens, to which routes may still be added. */
async function start() {
  const { app } = await startApp();
  const http = await createHttpServer(app.services);
  onTestFinished(() => http.close());
  return http;
}

test('check 12: every route names its permission or is public, also those that no document shows', async () => {
  const { routeTable } = await start();

  const open = routeTable.filter(({ permission }) => permission === null).map(({ url }) => url);

  expect([...new Set(open)].sort()).toEqual([
    '/api/auth/login',
    '/api/auth/logout',
    '/api/auth/session',
    '/client/browser.js.map',
    '/client/llmgine.js',
    '/console',
    '/console/*',
    '/health',
    '/health/live',
    '/health/ready',
  ]);
});

test('check 12: a route without a rule cannot be registered', async () => {
  const http = await start();

  expect(() => http.get('/api/forgotten', async () => 'x')).toThrow(
    /^The route GET \/api\/forgotten needs "config" with a "permission", one of info:read, .* or with "public: true"$/,
  );
});

test.each([
  ['that is none', { permission: 'everything' }, /needs "config" with a "permission"/],
  ['and is public', { permission: 'info:read', public: true }, /is public, so it has no permission/],
])('a route with a permission %s cannot be registered', async (_what, config, message) => {
  const http = await start();

  expect(() => http.get('/api/wrong', { config: config as never }, async () => 'x')).toThrow(message);
});

test('what is below /api/admin is for admins, also where it does not say so', async () => {
  const http = await start();

  http.get('/api/admin/thing', async () => 'x');

  expect(http.routeTable.find(({ url }) => url === '/api/admin/thing')?.permission).toBe('admin');
});

test('a message type without a rule cannot be registered', () => {
  const handler = new MessageTypes().get('ping');
  const description = { type: 'mine', request: handler?.schema, response: null };

  expect(() =>
    new MessageTypes().register(
      { ...handler, type: 'mine', permission: undefined } as never,
      description as never,
    ),
  ).toThrow('"mine" needs a permission: info:read');
});

test('both documents say what each operation asks for', async () => {
  const { app, url } = await startApp();
  const { operations } = (await call('GET', `${url}/asyncapi.json`)).body;

  for (const type of app.services.messages.types) {
    const permission = app.services.messages.get(type)?.permission;
    const operation = operations[type === 'event' ? 'publish_event' : type];
    expect(operation['x-permission']).toBe(permission ?? undefined);
  }
  const free = app.services.messages.types.filter((type) => !app.services.messages.get(type)?.permission);
  expect(free).toEqual(['ping', 'authenticate']);
});
