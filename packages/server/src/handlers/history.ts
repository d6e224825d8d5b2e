import { CLIENT_FRAMES } from '@llmgine/protocol';
import { defineHandler } from './types.ts';

export const historyHandler = defineHandler({
  type: 'history',
  schema: CLIENT_FRAMES.history,
  permission: 'sessions:read',
  touches: false,
  handle: async (data, { services, session }) => ({
    type: 'history_response',
    data: await services.sessions.history(session, data),
  }),
});
