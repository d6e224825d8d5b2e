/** Every JSON example of the original document, against a running server: same fields, same types, same codes. */
import { defineMessage, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../helpers/app.ts';
import { TestSocket } from '../helpers/ws-client.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** What it takes to see the errors of a server's own failures. */
function broken(): ExtensibleAPIFactory {
  const fail = () => {
    throw new Error('broken');
  };
  return new ExtensibleAPIFactory()
    .registerEngine({ type: 'BrokenEngine', description: 'Fails', config: z.object({}), create: fail })
    .registerMessage(defineMessage('broken_message', z.object({})), fail);
}

async function get(url: string) {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
}

test('GET /health', async () => {
  const { url } = await startApp();
  for (const path of ['/health', '/health/']) {
    const { status, body } = await get(url + path);
    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'healthy',
      service: 'llmgine-api',
      timestamp: expect.stringMatching(TIMESTAMP),
      uptime: expect.any(Number),
    });
  }
});

test('GET /health/ready', async () => {
  const { url, createSession } = await startApp();
  await createSession({ engine_type: 'ToolChatEngine' });
  await createSession();
  expect(await get(`${url}/health/ready`)).toEqual({
    status: 200,
    body: {
      status: 'ready',
      timestamp: expect.stringMatching(TIMESTAMP),
      services: {
        sessions: { initialized: true, monitor_running: true, count: 2 },
        engines: { initialized: true, monitor_running: true, count: 1 },
      },
    },
  });
});

test('GET /health/live', async () => {
  const { url } = await startApp();
  expect(await get(`${url}/health/live`)).toEqual({
    status: 200,
    body: { status: 'alive', timestamp: expect.stringMatching(TIMESTAMP), pid: null },
  });
});

test('POST, GET and DELETE /api/sessions, with and without a trailing slash', async () => {
  const { url } = await startApp();
  const created = await fetch(`${url}/api/sessions/`, { method: 'POST' });
  const { session_id: id } = (await created.clone().json()) as { session_id: string };
  expect(created.status).toBe(201);
  expect(await created.json()).toEqual({ session_id: expect.stringMatching(UUID), status: 'success' });

  expect((await get(`${url}/api/sessions`)).body).toEqual({
    sessions: [
      {
        session_id: id,
        status: 'running',
        created_at: expect.stringMatching(TIMESTAMP),
        last_interaction_at: expect.stringMatching(TIMESTAMP),
      },
    ],
    total: 1,
    next: null,
  });

  const socket = await TestSocket.open(`${url.replace('http', 'ws')}/api/sessions/${id}/ws`);
  const linked = await socket.request('link_engine', { engine_type: 'ToolChatEngine' });
  for (const path of [`/api/sessions/${id}`, `/api/sessions/${id}/`]) {
    expect((await get(url + path)).body).toEqual({
      session_id: id,
      status: 'running',
      created_at: expect.stringMatching(TIMESTAMP),
      last_interaction_at: expect.stringMatching(TIMESTAMP),
      linked_engine: linked.data.engine_id,
    });
  }

  const deleted = await fetch(`${url}/api/sessions/${id}`, { method: 'DELETE' });
  expect(deleted.status).toBe(200);
  expect(await deleted.json()).toEqual({ message: 'Session deleted successfully' });
  expect(await socket.closed).toMatchObject({ code: 4004 });
  expect((await get(`${url}/api/sessions/${id}`)).status).toBe(404);
});

test('ping, get_engine_types, link_engine and status', async () => {
  const { wsUrl, createSession } = await startApp();
  const socket = await TestSocket.open(wsUrl(await createSession()));
  const timestamp = '2024-01-01T12:00:00.000Z';

  socket.send({ type: 'ping', data: { timestamp } });
  expect(await socket.findType('pong')).toEqual({
    type: 'pong',
    data: { timestamp, server_timestamp: expect.stringMatching(TIMESTAMP) },
  });

  socket.send({ type: 'get_engine_types', data: {} });
  expect(await socket.findType('engine_types')).toEqual({
    type: 'engine_types',
    data: { engine_types: expect.arrayContaining(['SinglePassEngine', 'ToolChatEngine']) },
  });

  socket.send({ type: 'status', data: {} });
  expect(await socket.findType('status_response')).toEqual({
    type: 'status_response',
    data: { session_status: 'running', engine_status: null, engine_id: null },
  });

  socket.send({ type: 'link_engine', data: { engine_type: 'ToolChatEngine' } });
  const linked = await socket.findType('engine_linked');
  expect(linked).toEqual({
    type: 'engine_linked',
    data: { engine_id: expect.stringMatching(/^engine_/), engine_type: 'ToolChatEngine', status: 'running' },
  });

  expect(await socket.request('status')).toMatchObject({
    type: 'status_response',
    data: { session_status: 'running', engine_status: 'running', engine_id: linked.data.engine_id },
  });
});

test.each([
  ['INVALID_JSON', '{"type": "ping"'],
  ['INVALID_JSON', 'ping'],
  ['VALIDATION_ERROR', '[]'],
  ['VALIDATION_ERROR', '{"data": {}}'],
  ['VALIDATION_ERROR', '{"type": "link_engine", "data": {}}'],
  ['VALIDATION_ERROR', '{"type": "ping", "data": {"timestamp": 7}}'],
  ['INVALID_MESSAGE_TYPE', '{"type": "no_such_type", "data": {}}'],
  ['INVALID_ENGINE_TYPE', '{"type": "link_engine", "data": {"engine_type": "NoSuchEngine"}}'],
  [
    'VALIDATION_ERROR',
    '{"type": "link_engine", "data": {"engine_type": "ToolChatEngine", "engine_config": {"model": "nobody:x"}}}',
  ],
  ['ENGINE_CREATION_FAILED', '{"type": "link_engine", "data": {"engine_type": "BrokenEngine"}}'],
  ['WEBSOCKET_ERROR', '{"type": "broken_message", "data": {}}'],
])('error %s for %s leaves the connection open', async (code, frame) => {
  const { wsUrl, createSession } = await startApp({ apiFactory: broken() });
  const socket = await TestSocket.open(wsUrl(await createSession()));
  socket.send(frame);
  expect(await socket.findType('error')).toMatchObject({
    type: 'error',
    data: { code, message: expect.stringMatching(/\S/) },
  });
  expect((await socket.request('ping')).type).toBe('pong');
});

test.each(['550e8400-e29b-41d4-a716-446655440000', 'not-a-session'])(
  'error SESSION_NOT_FOUND for %s closes with 4004',
  async (id) => {
    const { wsUrl } = await startApp();
    const socket = await TestSocket.open(wsUrl(id));
    expect(await socket.closed).toMatchObject({ code: 4004 });
    expect(socket.frames).toEqual([
      { type: 'error', data: { code: 'SESSION_NOT_FOUND', message: expect.stringMatching(/\S/) } },
    ]);
  },
);
