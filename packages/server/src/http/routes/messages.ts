import { listMessagesQuerySchema, messagePageSchema } from '@llmgine/protocol';
import type { Services } from '../../services.ts';
import { problems } from '../responses.ts';
import type { HttpApp } from '../types.ts';
import { loadSession, sessionParams } from './session-params.ts';

export function registerMessages(app: HttpApp, services: Services): void {
  app.get(
    '/api/sessions/:session_id/messages',
    {
      config: { permission: 'sessions:read' },
      schema: {
        operationId: 'listMessages',
        tags: ['sessions'],
        summary: 'The conversation: the newest page, oldest message first',
        params: sessionParams,
        querystring: listMessagesQuerySchema,
        response: {
          200: messagePageSchema,
          ...problems('SESSION_NOT_FOUND', 'INVALID_CURSOR', 'VALIDATION_ERROR'),
        },
      },
    },
    async (request) => services.sessions.messages(await loadSession(services, request), request.query),
  );
}
