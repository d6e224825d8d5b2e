import { CLIENT_FRAMES } from '@llmgine/protocol';
import { defineHandler } from './types.ts';

export const eventHandler = defineHandler({
  type: 'event',
  schema: CLIENT_FRAMES.event,
  permission: 'sessions:write',
  // Publishing touches the session in the same transaction.
  touches: false,
  async handle(data, { services, session, reply }) {
    services.messages.checkEvent(data.event_type, data.payload);
    await services.log.publish(session, data, (published) => reply('event_published', published));
    return undefined;
  },
});
