import { defineMessage, defineTool, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { RawSocket } from '../../packages/server/test/ws/raw-socket.ts';
import { startApp } from '../helpers/app.ts';
import { startTestModels } from '../helpers/model-app.ts';
import { ownServer } from '../helpers/postgres.ts';
import { call } from '../helpers/rest.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const INSIDE = 'select * from secrets where path = /srv/app/inside.ts';
const GENERIC = { code: 'INTERNAL_ERROR', detail: 'Internal error' };

/** An application of which every part that others write throws. */
async function startThrowing() {
  const models = await startTestModels();
  const fail = () => {
    throw new Error(INSIDE);
  };
  const app = await startApp({
    env: { OPENAI_BASE_URL: models.baseUrl },
    config: { model: 'openai-compatible:x', modelRetries: 0 },
    apiFactory: new ExtensibleAPIFactory()
      .registerCustomRouter('/api/mine', (router) => {
        router.get('/sync', fail);
        router.get('/async', async () => fail());
        router.get('/stream', (_request, reply) => {
          reply.raw.on('close', () => {});
          return fail();
        });
      })
      .registerMessage(defineMessage('mine', z.object({})), fail)
      .registerTool(
        defineTool({ name: 'broken', description: 'Throws', parameters: z.object({}), execute: fail }),
      )
      .registerEngine({
        type: 'Broken',
        description: 'Throws',
        config: z.object({}),
        create: () => ({ run: async () => fail() }),
      })
      .registerEngine({
        type: 'Unmade',
        description: 'Cannot be made',
        config: z.object({}),
        create: fail,
      }),
  });
  return { ...app, models };
}

test('check 39 (ASVS 16.5.1): whatever throws is answered in general words, and everything goes on', async () => {
  const { url, wsUrl, createSession, models } = await startThrowing();
  const answers = [];
  for (const path of ['sync', 'async', 'stream']) answers.push(await call('GET', `${url}/api/mine/${path}`));
  const socket = await TestSocket.open(wsUrl(await createSession({ engine_type: 'Broken' })));
  const message = await socket.request('mine');
  const run = await socket.run('prompt', { prompt: 'Hi' });
  const unmade = await socket.request('link_engine', { engine_type: 'Unmade' });
  models.script(
    { steps: [{ toolCalls: [{ name: 'broken', arguments: {} }] }] },
    { steps: [{ text: 'Well.' }] },
  );
  const chat = await TestSocket.open(wsUrl(await createSession({ engine_type: 'ToolChatEngine' })));
  const told = await chat.run('prompt', { prompt: 'Hi' });

  for (const { status, body } of answers) expect([status, body]).toMatchObject([500, GENERIC]);
  expect(message).toMatchObject({ type: 'error', data: { code: 'WEBSOCKET_ERROR' } });
  expect(run).toMatchObject({ status: 'failed', error: { code: 'INTERNAL_ERROR' } });
  expect(unmade.type).toBe('error');
  expect(told).toMatchObject({ status: 'completed', result: { text: 'Well.' } });
  for (const said of [answers.map(({ body }) => body), socket.frames]) {
    expect(JSON.stringify(said)).not.toContain('inside.ts');
    expect(JSON.stringify(said)).not.toContain('secrets');
  }
  expect(await socket.request('ping')).toMatchObject({ type: 'pong' });
});

test('check 39 (ASVS 16.5.3): whoever cannot be known is not let in', async () => {
  const { app, url } = await startApp({ config: { key: 'correct-horse-battery' } });
  vi.spyOn(app.services.authenticate, 'authenticate').mockRejectedValue(new Error(INSIDE));
  const headers = { authorization: 'Bearer correct-horse-battery' };

  const rest = await call('GET', `${url}/api/sessions`, undefined, headers);
  const made = await call('POST', `${url}/api/sessions`, undefined, headers);
  const stopped = await call('POST', `${url}/api/admin/stop`, undefined, headers);
  const raw = await RawSocket.connect(url);
  const upgrade = await raw.handshake(url, { path: '/api/sessions/550e8400-e29b-41d4-a716-446655440000/ws' });

  for (const { status, body } of [rest, made, stopped]) expect([status, body]).toMatchObject([500, GENERIC]);
  expect(upgrade.status).toBe(500);
  expect(upgrade.body).not.toContain('secrets');
  expect((await call('GET', `${url}/health/live`)).status).toBe(200);
  expect(await app.services.storage.counts()).toMatchObject({ sessions: 0 });
});

test('check 39 (ASVS 16.5.2): without its database the server refuses, lives, and works again when it is back', async () => {
  const { server, url: databaseUrl } = await ownServer();
  const { url, wsUrl, createSession } = await startApp({ config: { databaseUrl, databaseTimeout: 1 } });
  const id = await createSession({ engine_type: 'SinglePassEngine' });
  const session = `${url}/api/sessions/${id}`;
  const socket = await TestSocket.open(wsUrl(id));
  await server.halt();

  const answers = [
    await call('GET', session),
    await call('POST', `${url}/api/sessions`),
    await call('POST', `${session}/commands`, { command: 'prompt', parameters: { prompt: 'Hi' } }),
    await call('POST', `${url}/api/admin/stop`),
    await call('GET', `${url}/health/ready`),
  ];
  const frame = await socket.request('event', { event_type: 'custom:a', payload: {} });

  for (const { status, body, headers } of answers) {
    expect([status, body.code]).toEqual([503, 'UNAVAILABLE']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(body)).not.toMatch(/ECONNREFUSED|postgres:|password/);
  }
  expect(frame).toMatchObject({ type: 'error', data: { code: 'UNAVAILABLE' } });
  expect((await call('GET', `${url}/health/live`)).status).toBe(200);
  await server.resume();
  await expect.poll(async () => (await call('GET', session)).status).toBe(200);
  expect(await socket.request('event', { event_type: 'custom:a', payload: {} })).toMatchObject({
    type: 'event_published',
  });
});
