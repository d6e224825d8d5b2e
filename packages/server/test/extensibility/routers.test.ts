/** Routes of an application's own: the same credentials, validation and errors as the server's. */
import { ApiError, type CustomRouter, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { person } from '../../../../tests/helpers/people.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { OPERATOR } from '../../src/security/principal.ts';
import { logLines } from './log-lines.ts';

const KEY = 'a-key-of-more-than-16';
const authorized = { authorization: `Bearer ${KEY}` };
const json = { ...authorized, 'content-type': 'application/json' };

const noteSchema = z.object({ title: z.string().min(1), stars: z.int().max(5).default(3) });

const notes: CustomRouter = (app, { session, messaging, settings }) => {
  app.post(
    '/',
    { schema: { body: noteSchema, response: { 201: z.object({ title: z.string(), by: z.string() }) } } },
    async (request, reply) => {
      expectTypeOf(request.body).toEqualTypeOf<{ title: string; stars: number }>();
      reply.code(201);
      // What is not in the schema of the answer stays here.
      return { title: `${request.body.title} ${request.body.stars}`, by: request.principal.id, secret: 1 };
    },
  );
  app.get('/open', { config: { public: true } }, async () => ({ setting: settings.my_setting }));
  app.get('/throws', async () => {
    throw new Error('the secret reason');
  });
  app.get('/refuses', async () => {
    throw new ApiError('RESOURCE_LIMIT_EXCEEDED', 'No more notes', { retryAfter: 9 });
  });
  app.post(
    '/for/:session_id',
    { schema: { params: z.object({ session_id: z.string() }), body: noteSchema } },
    async ({ principal, params, body }) => {
      const { cursor } = await session(principal, params.session_id).publish('custom:note', body);
      const told = messaging.sendToSession(params.session_id, {
        notification_type: 'note',
        message: body.title,
      });
      return { cursor, told };
    },
  );
};

async function start(options: Parameters<typeof startApp>[0] = {}) {
  const apiFactory = new ExtensibleAPIFactory()
    .registerCustomRouter('/api/notes', notes)
    .registerEvent('custom:note', noteSchema);
  const app = await startApp({
    ...options,
    apiFactory,
    config: { key: KEY, custom: { my_setting: 'value' }, ...options.config },
  });
  return { ...app, notes: `${app.url}/api/notes` };
}

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  return (await response.json()) as Record<string, unknown>;
}

test('they need the same credentials, unless they say that they do not', async () => {
  const { notes: url } = await start();

  const refused = await fetch(url, { method: 'POST' });
  const open = await fetch(`${url}/open`);

  expect(refused.status).toBe(401);
  expect(await problemOf(refused)).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(await open.json()).toEqual({ setting: 'value' });
});

test('bodies are validated and typed by Zod, answers hold what their schema says', async () => {
  const { notes: url } = await start();

  const wrong = await fetch(url, { method: 'POST', headers: json, body: '{"title": "", "stars": 9}' });
  const right = await fetch(url, { method: 'POST', headers: json, body: '{"title": "Milk"}' });

  expect(wrong.status).toBe(422);
  expect(await problemOf(wrong)).toMatchObject({
    code: 'VALIDATION_ERROR',
    instance: '/api/notes',
    errors: [{ path: 'title' }, { path: 'stars' }],
  });
  expect(right.status).toBe(201);
  expect(await right.json()).toEqual({ title: 'Milk 3', by: 'operator' });
});

test('what they throw is a problem, and what nobody expected is in the log only', async () => {
  const { logger, find } = logLines();
  const { notes: url } = await start({ logger });

  const threw = await fetch(`${url}/throws`, { headers: authorized });
  const refused = await fetch(`${url}/refuses`, { headers: authorized });

  expect(threw.status).toBe(500);
  expect(JSON.stringify(await problemOf(threw))).not.toContain('secret reason');
  expect((await find(({ level }) => level === 'error')).err?.message).toBe('the secret reason');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('9');
  expect(await problemOf(refused)).toMatchObject({
    code: 'RESOURCE_LIMIT_EXCEEDED',
    detail: 'No more notes',
  });
});

test('unknown addresses and methods below the prefix are told like any other', async () => {
  const { notes: url } = await start();

  const unknown = await fetch(`${url}/nothing`, { headers: authorized });
  const method = await fetch(`${url}/open`, { method: 'DELETE', headers: authorized });

  expect(unknown.status).toBe(404);
  expect(method.status).toBe(405);
  expect(method.headers.get('allow')).toContain('GET');
});

test('they are in /openapi.json with their schemas', async () => {
  const { url } = await start();

  const { paths } = (await (await fetch(`${url}/openapi.json`, { headers: authorized })).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };

  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/api/notes/for/{session_id}']));
  expect(JSON.stringify(paths['/api/notes/'] ?? paths['/api/notes'])).toContain('stars');
});

test('a router reaches the sessions of its caller: what it publishes is an event like any other', async () => {
  const { wsUrl, notes: url } = await start();
  const created = await fetch(url.replace('notes', 'sessions'), { method: 'POST', headers: authorized });
  const { session_id: id } = (await created.json()) as { session_id: string };
  const socket = await TestSocket.open(wsUrl(id), { headers: authorized });
  await socket.request('subscribe');

  const post = (body: string) => fetch(`${url}/for/${id}`, { method: 'POST', headers: json, body });
  const response = (await (await post('{"title": "Milk"}')).json()) as { cursor: string; told: number };

  expect(response.told).toBe(1);
  expect((await socket.findEvent('custom:note')).data).toMatchObject({
    cursor: response.cursor,
    payload: { title: 'Milk', stars: 3 },
  });
  expect(await socket.findType('notification')).toMatchObject({ data: { message: 'Milk' } });
});

test('a session that is not there is a 404', async () => {
  const { notes: url } = await start();

  const response = await fetch(`${url}/for/0b0e8c5e-0000-4000-8000-000000000000`, {
    method: 'POST',
    headers: json,
    body: '{"title": "Milk"}',
  });

  expect(response.status).toBe(404);
  expect(await problemOf(response)).toMatchObject({ code: 'SESSION_NOT_FOUND' });
});

test.each(['api', '/', '/api/notes/', '/api notes', '/api?x'])('%j is no prefix', (prefix) => {
  expect(() => new ExtensibleAPIFactory().registerCustomRouter(prefix, notes)).toThrow(
    'A router needs a path such as "/api/notes"',
  );
});

test('a route of the server cannot be taken', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerCustomRouter('/api', (app) => {
    app.get('/sessions', async () => ({}));
  });

  await expect(startApp({ apiFactory })).rejects.toThrow(
    "Method 'GET' already declared for route '/api/sessions'",
  );
});

test('a long answer of a route ends with the credential of its caller where it asks for that', async () => {
  const feed: CustomRouter = (app, { services: { live } }) => {
    app.get('/', { config: { permission: 'sessions:read' } }, (request, reply) => {
      reply.hijack();
      const { raw } = reply;
      const use = { principal: request.principal, changed() {}, ended: (why: string) => raw.end(`${why}\n`) };
      live.add(use);
      raw.once('close', () => live.delete(use));
      raw.write('hello\n');
    });
  };
  const app = await startApp({ apiFactory: new ExtensibleAPIFactory().registerCustomRouter('/feed', feed) });
  const { headers, keyId } = await person(app);
  const answer = await fetch(`${app.url}/feed`, { headers });

  await app.app.services.keys.service.revoke(OPERATOR, keyId);

  expect(await answer.text()).toBe('hello\nrevoked\n');
});
