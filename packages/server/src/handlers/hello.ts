import { CLIENT_FRAMES, PROTOCOL_VERSION } from '@llmgine/protocol';
import { SERVER_VERSION } from '../version.ts';
import { CAPABILITIES, limitsOf } from './capabilities.ts';
import { defineHandler } from './types.ts';

export const helloHandler = defineHandler({
  type: 'hello',
  schema: CLIENT_FRAMES.hello,
  permission: 'sessions:read',
  touches: true,
  handle(_data, { connection, services, sessionId }) {
    connection.acceptServerFrames();
    return {
      type: 'welcome',
      data: {
        protocol_version: PROTOCOL_VERSION,
        server_version: SERVER_VERSION,
        session_id: sessionId,
        capabilities: CAPABILITIES,
        limits: limitsOf(services.config.values),
        message_types: services.messages.types,
      },
    };
  },
});
