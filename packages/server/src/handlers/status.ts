import { CLIENT_FRAMES } from '@llmgine/protocol';
import { defineHandler } from './types.ts';

export const statusHandler = defineHandler({
  type: 'status',
  schema: CLIENT_FRAMES.status,
  permission: 'sessions:read',
  unordered: true,
  touches: false,
  async handle(_data, { services, loadSession }) {
    const session = await loadSession();
    return {
      type: 'status_response',
      data: {
        session_status: services.sessions.status(session),
        engine_status: session.engine?.status ?? null,
        engine_id: session.engine?.engineId ?? null,
      },
    };
  },
});
