import { CLIENT_FRAMES } from '@llmgine/protocol';
import { defineHandler } from './types.ts';

export const pingHandler = defineHandler({
  type: 'ping',
  schema: CLIENT_FRAMES.ping,
  permission: null,
  unordered: true,
  touches: false,
  handle: (data) => ({
    type: 'pong',
    data: {
      ...(data.timestamp === undefined ? {} : { timestamp: data.timestamp }),
      server_timestamp: new Date().toISOString(),
    },
  }),
});
