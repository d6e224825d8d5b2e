import { CLIENT_FRAMES } from '@llmgine/protocol';
import { defineHandler } from './types.ts';

export const claimRequestHandler = defineHandler({
  type: 'claim_request',
  schema: CLIENT_FRAMES.claim_request,
  permission: 'requests:answer',
  // Claiming touches the session in the same transaction.
  touches: false,
  handle: async (data, { connection, services, session }) => ({
    type: 'request_claimed',
    data: await services.requests.claim(session, data.request_id, connection.id),
  }),
});

export const serverResponseHandler = defineHandler({
  type: 'server_response',
  schema: CLIENT_FRAMES.server_response,
  permission: 'requests:answer',
  unordered: true,
  // Answering touches the session in the same transaction.
  touches: false,
  async handle({ request_id, ...answer }, { principal, services, session, reply }) {
    await services.requests.answer(session, request_id, answer, {
      by: principal.id,
      // Before anyone sees that it was answered.
      onAccepted: (accepted) => reply('server_response_accepted', accepted),
    });
    return undefined;
  },
});
