import { CLIENT_FRAMES } from '@llmgine/protocol';
import { defineHandler } from './types.ts';

export const subscribeHandler = defineHandler({
  type: 'subscribe',
  schema: CLIENT_FRAMES.subscribe,
  permission: 'sessions:read',
  touches: false,
  async handle(data, { connection, reply, signal }) {
    connection.acceptServerFrames();
    const { after, event_types: types } = data;
    const { cursor, resyncRequired, start } = await connection.events.subscribe(after, types, signal);
    reply('subscribed', { cursor, resync_required: resyncRequired });
    start();
    return undefined;
  },
});

export const unsubscribeHandler = defineHandler({
  type: 'unsubscribe',
  schema: CLIENT_FRAMES.unsubscribe,
  permission: 'sessions:read',
  touches: false,
  handle(_data, { connection }) {
    connection.events.unsubscribe();
    return { type: 'unsubscribed', data: {} };
  },
});
