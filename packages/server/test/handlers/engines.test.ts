import { ApiError } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { say, testEngine, testGate } from '../../../../tests/helpers/test-engine.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { expectProtocol } from './frames.ts';

async function start() {
  const gate = testGate();
  const apiFactory = testEngine(async (context) => {
    say(context, 'm', 'half');
    await gate.pass();
    return null;
  }).registerEngine({
    type: 'BrokenEngine',
    description: 'Cannot be made',
    config: z.object({ how: z.enum(['politely', 'rudely']).default('politely') }),
    create: ({ how }) => {
      if (how === 'politely') throw new ApiError('UNAVAILABLE', 'No such voice');
      throw new Error('the password is swordfish');
    },
  });
  const app = await startApp({ apiFactory });
  const socket = await TestSocket.open(app.wsUrl(await app.createSession()));
  return { gate, socket };
}

test('linking again makes a new engine and keeps the history', async () => {
  const { socket, gate } = await start();
  gate.open();
  const first = await socket.request('link_engine', { engine_type: 'TestEngine' });
  await socket.run('prompt', { prompt: 'remember me' });
  const second = await socket.request('link_engine', { engine_type: 'TestEngine', engine_config: { a: 1 } });
  expect(second.data).toMatchObject({ engine_type: 'TestEngine', status: 'running' });
  expect(second.data.engine_id).not.toBe(first.data.engine_id);
  expect((await socket.request('status')).data.engine_id).toBe(second.data.engine_id);
  const history = await socket.request('history');
  expect(history.data.messages[0].parts).toEqual([{ type: 'text', text: 'remember me' }]);
  expectProtocol(socket);
});

test('unlinking leaves a session without an engine; doing it twice is ENGINE_NOT_LINKED', async () => {
  const { socket } = await start();
  const linked = await socket.request('link_engine', { engine_type: 'TestEngine' });
  expect(await socket.request('unlink_engine')).toMatchObject({
    type: 'engine_unlinked',
    data: { engine_id: linked.data.engine_id },
  });
  expect((await socket.request('status')).data).toMatchObject({ engine_status: null, engine_id: null });
  expect((await socket.request('unlink_engine')).data.code).toBe('ENGINE_NOT_LINKED');
  expect(
    (await socket.request('command', { command: 'prompt', parameters: { prompt: 'x' } })).data.code,
  ).toBe('ENGINE_NOT_LINKED');
  expectProtocol(socket);
});

test('during a run neither linking nor unlinking is possible', async () => {
  const { socket, gate } = await start();
  const linked = await socket.request('link_engine', { engine_type: 'TestEngine' });
  const result = socket.run('prompt', { prompt: 'x' });
  await gate.reached;
  for (const [type, data] of [
    ['link_engine', { engine_type: 'TestEngine' }],
    ['unlink_engine', {}],
  ] as const) {
    expect((await socket.request(type, data)).data.code).toBe('RUN_IN_PROGRESS');
  }
  expect((await socket.request('status')).data.engine_id).toBe(linked.data.engine_id);
  gate.open();
  expect((await result).status).toBe('completed');
  expect((await socket.request('unlink_engine')).type).toBe('engine_unlinked');
});

test.each<[string, object, string, string]>([
  ['an unknown type', { engine_type: 'NoSuchEngine' }, 'INVALID_ENGINE_TYPE', ''],
  ['no type', {}, 'VALIDATION_ERROR', 'data.engine_type'],
  [
    'a configuration that the engine does not take',
    { engine_type: 'BrokenEngine', engine_config: { how: 7 } },
    'VALIDATION_ERROR',
    'engine_config',
  ],
  [
    'an engine that says why it cannot be made',
    { engine_type: 'BrokenEngine' },
    'ENGINE_CREATION_FAILED',
    'No such voice',
  ],
  [
    'an engine that breaks',
    { engine_type: 'BrokenEngine', engine_config: { how: 'rudely' } },
    'ENGINE_CREATION_FAILED',
    'Failed to create engine',
  ],
])('linking %s leaves the old engine linked', async (_, data, code, text) => {
  const { socket } = await start();
  const linked = await socket.request('link_engine', { engine_type: 'TestEngine' });
  const answer = await socket.request('link_engine', data);
  expect(answer).toMatchObject({ type: 'error', data: { code, message: expect.stringContaining(text) } });
  expect(JSON.stringify(answer)).not.toContain('swordfish');
  expect((await socket.request('status')).data).toMatchObject({
    engine_status: 'running',
    engine_id: linked.data.engine_id,
  });
});

test('others see an engine come and go', async () => {
  const { socket } = await start();
  await socket.request('subscribe');
  const { data: linked } = await socket.request('link_engine', { engine_type: 'TestEngine' });
  await socket.request('unlink_engine');
  await socket.findEvent('engine_unlinked');
  expect(socket.events.map(({ event_type, payload }) => [event_type, payload])).toEqual([
    ['engine_linked', linked],
    ['engine_unlinked', { engine_id: linked.engine_id }],
  ]);
});
