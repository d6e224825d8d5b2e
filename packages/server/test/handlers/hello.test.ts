import { defineMessage, ExtensibleAPIFactory, SERVER_VERSION } from '@llmgine/api';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startApp } from '../../../../tests/helpers/app.ts';
import { TestSocket } from '../../../../tests/helpers/ws-client.ts';
import { expectProtocol } from './frames.ts';

const CORE = [
  'ping',
  'get_engine_types',
  'link_engine',
  'status',
  'hello',
  'authenticate',
  'unlink_engine',
  'command',
  'cancel',
  'subscribe',
  'unsubscribe',
  'event',
  'history',
  'claim_request',
  'server_response',
  'audio_begin',
  'audio_end',
];

test('hello is answered with what the server is and can do', async () => {
  const apiFactory = new ExtensibleAPIFactory().registerMessage(
    class extends defineMessage('translate', z.object({})) {},
    () => undefined,
  );
  const { wsUrl, createSession } = await startApp({ apiFactory, config: { websocketMessageRate: 7 } });
  const id = await createSession();
  const socket = await TestSocket.open(wsUrl(id));
  expect(await socket.request('hello', { protocol_version: '1' })).toMatchObject({
    type: 'welcome',
    data: {
      protocol_version: '1',
      server_version: SERVER_VERSION,
      session_id: id,
      capabilities: expect.arrayContaining(['streaming', 'resume', 'cancel', 'history', 'custom_events']),
      limits: { max_message_size: 1_048_576, max_unsent_bytes: 1_048_576, messages_per_second: 7 },
      message_types: [...CORE, 'translate'],
    },
  });
  expectProtocol(socket);
});

test.each([{}, { protocol_version: '99' }, { protocol_version: 2, client: 'unknown' }])(
  'hello with %j is welcome: versions are told, not negotiated',
  async (data) => {
    const { wsUrl, createSession } = await startApp();
    const socket = await TestSocket.open(wsUrl(await createSession()));
    expect((await socket.request('hello', data)).data.protocol_version).toBe('1');
  },
);
