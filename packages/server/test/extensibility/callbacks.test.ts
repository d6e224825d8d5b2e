/** Callbacks of an application: told about what happens, and unable to disturb it. */
import { type ApplicationCallbacks, ExtensibleAPIFactory } from '@llmgine/api';
import { expect, test } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { logLines } from './log-lines.ts';

/** Callbacks that write down what they are told, and a way to wait for it. */
function journal() {
  const entries: string[] = [];
  const waiting = new Set<() => void>();
  const write = (entry: string) => {
    entries.push(entry);
    for (const look of [...waiting]) look();
  };
  const callbacks: ApplicationCallbacks = {
    onConnect: ({ sessionId, principal }) => write(`connect ${sessionId} ${principal.id}`),
    onDisconnect: ({ sessionId }) => write(`disconnect ${sessionId}`),
    onSessionCreated: ({ sessionId, ownerId, engine }) =>
      write(`created ${sessionId} ${ownerId} ${engine?.engineType}`),
    onSessionClosed: ({ sessionId }, reason) => write(`closed ${sessionId} ${reason}`),
  };
  const find = (entry: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!entries.includes(entry)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { entries, callbacks, find };
}

test('connect and disconnect, session created and deleted', async () => {
  const { entries, callbacks, find } = journal();
  const { url, wsUrl, createSession } = await startApp({
    apiFactory: new ExtensibleAPIFactory().on(callbacks),
  });

  const id = await createSession({ engine_type: 'ToolChatEngine' });
  const socket = await TestSocket.open(wsUrl(id));
  await socket.close();
  await find(`disconnect ${id}`);
  await fetch(`${url}/api/sessions/${id}`, { method: 'DELETE' });
  await find(`closed ${id} deleted`);

  expect(entries).toEqual([
    `created ${id} operator ToolChatEngine`,
    `connect ${id} operator`,
    `disconnect ${id}`,
    `closed ${id} deleted`,
  ]);
});

test('a session that expires is told', async () => {
  const { callbacks, find } = journal();
  const { createSession } = await startApp({
    apiFactory: new ExtensibleAPIFactory().on(callbacks),
    config: { sessionTimeout: 0.05 },
  });

  const id = await createSession();

  await find(`closed ${id} expired`);
});

test('nobody is told of a connection to a session that is not there', async () => {
  const { entries, callbacks } = journal();
  const { wsUrl } = await startApp({ apiFactory: new ExtensibleAPIFactory().on(callbacks) });

  const socket = await TestSocket.open(wsUrl('0b0e8c5e-0000-4000-8000-000000000000'));
  await socket.closed;

  expect(entries).toEqual([]);
});

test.each([
  [
    'throw',
    () => {
      throw new Error('callback');
    },
  ],
  [
    'reject',
    async () => {
      throw new Error('callback');
    },
  ],
])('callbacks that %s are logged and disturb nobody, the other callbacks among them', async (_how, fail) => {
  const { logger, lines, find: findLine } = logLines();
  const { callbacks, find } = journal();
  const failing: ApplicationCallbacks = {
    onConnect: fail,
    onDisconnect: fail,
    onSessionCreated: fail,
    onSessionClosed: fail,
  };
  const { url, wsUrl, createSession } = await startApp({
    apiFactory: new ExtensibleAPIFactory().on(failing).on(callbacks),
    logger,
  });

  const id = await createSession();
  const socket = await TestSocket.open(wsUrl(id));
  expect((await socket.request('ping')).type).toBe('pong');
  await socket.close();
  await find(`disconnect ${id}`);
  expect((await fetch(`${url}/api/sessions/${id}`, { method: 'DELETE' })).status).toBe(200);
  await find(`closed ${id} deleted`);

  await findLine(({ stage }) => stage === 'onSessionClosed callback');
  expect(lines.map(({ level, stage, err }) => [level, stage, err?.message])).toEqual([
    ['error', 'onSessionCreated callback', 'callback'],
    ['error', 'onConnect callback', 'callback'],
    ['error', 'onDisconnect callback', 'callback'],
    ['error', 'onSessionClosed callback', 'callback'],
  ]);
});
